//! Every verb, locator and expectation of scenarios, in real Chromium, on pages of our own.
//!
//! `HAETAE_TEST_WEBDRIVER='url: "http://grid:4444", browser: firefox'` walks them at another
//! WebDriver; what docs/browser.md says of it then fails.

use serde_json::Value;

use crate::pages::Pages;
use crate::support::{Folder, Running, output, run_all, text};

/// What came of one run.
pub struct Ran {
    pub code: Option<i32>,
    pub said: String,
    pub run: Value,
}

impl Ran {
    pub fn ok(&self) -> &Self {
        assert_eq!(self.code, Some(0), "{}", self.said);
        self
    }

    pub fn fails_with(&self, part: &str) -> &Self {
        assert_eq!(self.code, Some(2), "{}", self.said);
        assert!(self.said.contains(part), "{part} is missing in:\n{}", self.said);
        self
    }

    pub fn measured(&self, name: &str) -> f64 {
        let value = &self.run["outcome"]["measurements"][name]["value"];
        value
            .as_f64()
            .unwrap_or_else(|| panic!("no {name} in {}", self.run))
    }
}

/// Runs steps on a site; `browser` is what stands in `browser:` besides the address.
pub fn run(folder: &Folder, pages: &Pages, browser: &str, rest: &str) -> Ran {
    let check = format!(
        "every: 1m\ntimeout: 30s\nbrowser: {{ url: \"{}\"{browser} }}\n{rest}",
        pages.url()
    );
    folder.write("checks/a.yaml", &check);
    if let Ok(at) = std::env::var("HAETAE_TEST_WEBDRIVER") {
        folder.write("haetae.yaml", &format!("webdriver: {{ {at} }}\n"));
    }
    let (code, said, report) = run_all(folder);
    Ran {
        code,
        said,
        run: report["runs"][0]["run"].clone(),
    }
}

async fn once(html: &str, steps: &str) -> Ran {
    let pages = Pages::start(&[("/", html), ("/other", "<p>The other page")]).await;
    run(
        &Folder::new(),
        &pages,
        "",
        &format!("steps:\n  - open: /\n{steps}"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn tabs_are_opened_found_and_closed() {
    let html = "<a href=/other target=_blank>More</a><a href=/slow target=_blank>Slow</a><p>First";
    let ran = once(
        html,
        "  - click: More\n  - tab: 2\n  - see: The other page\n  - tab: close\n  - see: First\n  - tab: new\n  - open: /other\n  - tab: 1\n  - see: First\n  - click: Slow\n  - tab: slow\n  - see: Arrived late\n",
    );
    ran.await.ok();
    let ran = once(html, "  - { tab: Basket, within: 300ms }\n").await;
    ran.fails_with("no tab is called \"Basket\"")
        .fails_with("open are: \"/\"");
    let ran = once(html, "  - { tab: 3, within: 300ms }\n").await;
    ran.fails_with("there is no tab 3: 1 are open");
    let ran = once(html, "  - tab: close\n").await;
    ran.fails_with("this is the only tab");
}

#[tokio::test(flavor = "multi_thread")]
async fn dialogs_are_answered_before_or_after_and_never_hold_a_run_up() {
    let html = "<button onclick=\"out.textContent=confirm('Sure?')?'gone':'kept'\">Delete</button>\
                <button onclick=\"out.textContent='Hello '+prompt('Name?')\">Greet</button><p id=out></p>";
    once(html, "  - dialog: accept\n  - click: Delete\n  - see: gone\n")
        .await
        .ok();
    once(html, "  - click: Delete\n  - dialog: accept\n  - see: gone\n")
        .await
        .ok();
    once(
        html,
        "  - dialog: { type: Ada }\n  - click: Greet\n  - see: Hello Ada\n",
    )
    .await
    .ok();
    let ran = once(html, "  - click: Delete\n  - see: kept\n").await;
    let remarks = ran.ok().run["outcome"]["remarks"].to_string();
    assert!(
        remarks.contains("unexpected dialog was dismissed: confirm"),
        "{remarks}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_up_and_come_down() {
    let html = "<form><label>Picture <input type=file hidden onchange=\"out.textContent='got '+this.files[0].name\"></label>\
                <button type=button onclick=\"document.querySelector('input').click()\">Choose a file</button></form>\
                <p id=out></p><a href=/file.csv>Export</a>";
    let pages = Pages::start(&[("/", html)]).await;
    let folder = Folder::new();
    folder.write("files/cat.txt", "meow");
    let steps = |steps: &str| format!("steps:\n  - open: /\n{steps}");
    let go = |text: &str| run(&folder, &pages, "", &steps(text));
    go("  - upload: { file: files/cat.txt, to: Picture }\n  - see: got cat.txt\n").ok();
    go("  - upload: { file: files/cat.txt, to: Choose a file }\n  - see: got cat.txt\n").ok();
    go("  - click: Export\n  - expect: { download: report.csv }\n").ok();
    go("  - click: Export\n  - { expect: { download: { matches: pdf$ } }, within: 500ms }\n")
        .fails_with("downloaded was only: report.csv");
    let ran = go("  - upload: { file: files/dog.txt, to: Picture }\n");
    assert_eq!(ran.code, Some(3), "{}", ran.said);
    assert!(
        ran.said.contains("`files/dog.txt` to upload is not there"),
        "{}",
        ran.said
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn things_are_dragged_ticked_chosen_and_dated() {
    let html = "<div id=a draggable=true style='width:60px;height:40px;background:#ccc'>Task 1</div>\
        <div id=b style='width:90px;height:60px;background:#eee' ondragover='event.preventDefault()' ondrop=\"this.textContent='Done: Task 1'\">Done</div>\
        <style>.hid{position:absolute;opacity:0;width:0;height:0}</style>\
        <input type=checkbox class=hid id=terms><label for=terms>I agree</label>\
        <label>Day <input type=date></label>\
        <button role=combobox aria-label=Colour onclick=\"list.hidden=false\">…</button>\
        <ul id=list role=listbox hidden><li role=option onclick=\"picked.textContent='picked red'\">Red</li><li role=option>Blue</li></ul><p id=picked></p>\
        <label>Size <select><option>Small</option><option>Large</option></select></label>";
    let ran = once(
        html,
        "  - drag: { from: Task 1, to: { css: \"#b\" } }\n  - see: \"Done: Task 1\"\n  - check: I agree\n  - expect: { checked: true, of: { css: \"#terms\" } }\n  - uncheck: I agree\n  - expect: { checked: false, of: { css: \"#terms\" } }\n  - type: { into: Day, text: \"2026-12-31\" }\n  - expect: { value: \"2026-12-31\", of: Day }\n  - choose: { option: Red, from: Colour }\n  - see: picked red\n  - choose: Large\n  - expect: { value: Large, of: Size }\n",
    );
    ran.await.ok();
    once(
        html,
        "  - { type: { into: Day, text: tomorrow }, within: 300ms }\n",
    )
    .await
    .fails_with("does not take this value");
    once(
        html,
        "  - { choose: { option: Huge, from: Size }, within: 300ms }\n",
    )
    .await
    .fails_with("options: Small, Large");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_typed_is_heard_key_by_key_where_it_matters() {
    let html = "<label>Name <input oninput=\"n.textContent+='i'\" onkeydown=\"k.textContent+='k'\"></label>\
                <p id=n></p><p id=k></p><label>Old <input value=before></label><div contenteditable aria-label=Note></div>";
    once(
        html,
        "  - type: { into: Name, text: hello }\n  - expect: { value: hello, of: Name }\n  - expect: { text: { matches: \"^k+$\" }, of: { css: \"#k\" } }\n  - type: { into: Name, text: world, clear: true, keys: true }\n  - expect: { value: world, of: Name }\n  - expect: { text: kkkkkk, of: { css: \"#k\" } }\n  - type: { into: Old, text: \" and after\" }\n  - expect: { value: before and after, of: Old }\n  - clear: Old\n  - expect: { value: \"\", of: Old }\n  - type: { into: { css: \"[contenteditable]\" }, text: 안녕하세요 }\n  - see: 안녕하세요\n",
    )
    .await
    .ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_renders_anew_moves_or_loads_late_is_waited_for() {
    // Replaced every 30 ms until half a second has passed; slides in; covered at first.
    let html = "<div id=host></div><button style='position:absolute;left:0;top:200px;transition:left .5s' id=mover>Slide</button>\
        <div id=veil style='position:fixed;inset:0;background:#0003'></div><p id=out></p><a href=/slow>Later</a>\
        <script>let t=setInterval(()=>{host.innerHTML='<button onclick=\"out.textContent+=\\'saved\\'\">Save</button>'},30);\
        setTimeout(()=>clearInterval(t),500);setTimeout(()=>veil.remove(),600);\
        requestAnimationFrame(()=>mover.style.left='300px');mover.onclick=()=>out.textContent+=' slid'</script>";
    once(
        html,
        "  - click: Save\n  - see: saved\n  - click: Slide\n  - see: slid\n  - click: Later\n  - click: Go\n  - see: Arrived late\n",
    )
    .await
    .ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_slides_under_the_mouse_is_not_pressed() {
    // A banner pushes the button down at the very moment the mouse comes over it.
    let html = "<style>body{margin:0}button{display:block;width:200px;height:40px}</style>\
        <button id=wrong style='display:none' onclick=\"out.textContent='wrong'\">Delete all</button>\
        <button id=right onclick=\"out.textContent+='right'\">Open</button><p id=out></p>\
        <script>let done=false;right.addEventListener('mousemove',()=>{if(!done){done=true;wrong.style.display='block'}})</script>";
    once(
        html,
        "  - click: Open\n  - expect: { text: right, of: { css: \"#out\" } }\n",
    )
    .await
    .ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_shadow_roots_and_containers_are_looked_into() {
    let pages = Pages::start(&[
        ("/", "<iframe title=Outer src=/outer></iframe><x-card></x-card><script>customElements.define('x-card',class extends HTMLElement{connectedCallback(){this.attachShadow({mode:'open'}).innerHTML='<button onclick=\"this.textContent=`opened`\">Shadow</button>'}})</script>\
               <table><tr><td>Ada<td><button onclick=\"this.textContent='removed Ada'\">Remove</button><tr><td>Bob<td><button>Remove</button></table>"),
        ("/outer", "<iframe title=Inner src=/inner></iframe>"),
        ("/inner", "<label>Card <input></label><button onclick=\"this.textContent='paid'\">Pay</button>"),
    ])
    .await;
    let folder = Folder::new();
    let go = |steps: &str| run(&folder, &pages, "", &format!("steps:\n  - open: /\n{steps}"));
    go("  - inside: { frame: Outer }\n    steps:\n      - inside: { frame: Inner }\n        steps:\n          - type: { into: Card, text: \"4111\" }\n          - click: Pay\n          - see: paid\n  - click: Shadow\n  - see: opened\n").ok();
    go("  - click: { role: button, name: Remove, near: Ada }\n  - see: removed Ada\n").ok();
    go("  - inside: { xpath: \"//tr[1]\" }\n    steps:\n      - click: Remove\n  - see: removed Ada\n").ok();
    go("  - inside: [{ css: .none }, { xpath: \"//tr[1]\" }]\n    steps:\n      - inside: { css: td, nth: 2 }\n        steps: [{ click: Remove }]\n  - see: removed Ada\n").ok();
    go("  - { inside: { css: .none }, steps: [{ click: Remove, within: 300ms }] }\n")
        .fails_with("the element around it (`inside:`) is not there");
    go("  - { click: Remove, within: 300ms }\n").fails_with("\"Remove\" fits 2 things");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_storage_requests_and_scripts_can_be_looked_at_and_set() {
    let html = "<p id=c></p><script>c.textContent=document.cookie;localStorage.setItem('theme','dark');console.error('boom');fetch('/missing.js')</script><a href=/nothing>Nothing</a><button onclick=\"fetch('/slow').then(()=>done.textContent='done')\">Load</button><p id=done></p>";
    let pages = Pages::start(&[("/", html)]).await;
    let folder = Folder::new();
    let go = |steps: &str| run(&folder, &pages, "", &format!("steps:\n{steps}"));
    let ran = go(
        "  - cookies: { set: { consent: \"yes\" } }\n  - open: /\n  - see: consent=yes\n  - expect: { cookie: { consent: \"yes\" }, storage: { theme: dark } }\n  - cookies: { delete: consent }\n  - { expect: { cookie: { consent: { equals: \"yes\" } } }, within: 200ms, optional: true }\n  - click: Nothing\n  - click: Load\n  - wait_for: { request: { contains: /slow } }\n  - see: done\n  - wait_for: idle\n  - remember: { half: { script: \"return 21\" } }\n  - script: \"document.title = 'answer ' + 2 * ${half}\"\n  - expect: { title: answer 42 }\n",
    );
    ran.ok();
    assert_eq!(ran.measured("console_errors") as u64, 1);
    assert_eq!(ran.measured("failed_requests") as u64, 1);
    let steps = ran.run["outcome"]["evidence"]["steps"].to_string();
    assert!(
        steps.contains("skipped"),
        "the deleted cookie is not there: {steps}"
    );
    go("  - open: /\n  - { expect: { no_console_errors: true }, within: 300ms }\n")
        .fails_with("the console has errors: error: boom");
    go("  - open: /\n  - wait_for: idle\n  - { expect: { no_failed_requests: true }, within: 300ms }\n")
        .fails_with("/missing.js → 404");
    go("  - open: /\n  - script: \"return document.title === 'x'\"\n")
        .fails_with("the script returned false");
    go("  - open: /\n  - script: \"nonsense(\"\n").fails_with("the script failed");
    go("  - open: /\n  - { script: \"await new Promise(() => {})\", within: 500ms }\n")
        .fails_with("the script did not end in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_our_own_prepares_and_fails_like_a_step() {
    let pages = Pages::start(&[("/", "<p>Home"), ("/made", "order-77")]).await;
    let folder = Folder::new();
    let go = |steps: &str| run(&folder, &pages, "", &format!("steps:\n{steps}"));
    let url = pages.url();
    go(&format!("  - http: {{ url: \"{url}/made\", expect: {{ status: 200 }}, remember: {{ order: {{ text: \"order-(.*)\" }} }} }}\n  - open: /?o=${{order}}\n  - expect: {{ url: {{ contains: o=77 }} }}\n")).ok();
    go(&format!("  - http: {{ url: \"{url}/broken\" }}\n"))
        .fails_with("status is 500, expected 200..299")
        .fails_with("it said: broken");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_looks_as_the_scenario_wants_it() {
    let html = "<p id=p></p><script>p.textContent=[innerWidth,devicePixelRatio,navigator.maxTouchPoints,navigator.language,Intl.DateTimeFormat().resolvedOptions().timeZone].join(' ')</script>";
    let pages = Pages::start(&[("/", html)]).await;
    let folder = Folder::new();
    run(
        &folder,
        &pages,
        ", device: iPhone 15, locale: ko-KR, timezone: Asia/Seoul, headers: { X-Probe: haetae-qa }",
        "steps:\n  - open: /\n  - see: 393 3 5 ko-KR Asia/Seoul\n  - open: /headers\n  - see: haetae-qa\n  - expect: { text: { contains: iPhone } }\n  - network: offline\n  - { open: /, optional: true }\n  - network: online\n  - open: /\n  - see: Asia/Seoul\n",
    )
    .ok();
    let ran = run(
        &folder,
        &pages,
        ", viewport: 700x500",
        "steps:\n  - open: /\n  - see: 700 1 0\n  - network: offline\n  - open: /\n",
    );
    ran.fails_with("the browser is offline");
}

#[tokio::test(flavor = "multi_thread")]
async fn flows_repetition_conditions_and_time_measured_steps() {
    let html = "<button onclick=\"n.textContent=+n.textContent+1;if(+n.textContent==3)end.hidden=false\">More</button><p id=n>0</p><p id=end hidden>The end</p><label>Card <input></label>";
    let pages = Pages::start(&[("/", html)]).await;
    let folder = Folder::new();
    folder.write(
        "flows/pay.yaml",
        "params: { card: , note: none }\nsteps:\n  - type: { into: Card, text: \"${params.card} ${params.note}\" }\n",
    );
    folder.write(
        "checks/flows/outer.yaml",
        "params: { number: }\nsteps:\n  - flow: pay\n    with: { card: \"${params.number}\" }\n",
    );
    let go = |steps: &str| run(&folder, &pages, "", &format!("steps:\n  - open: /\n{steps}"));
    let ran = go(
        "  - flow: outer\n    with: { number: \"4111\" }\n  - expect: { value: 4111 none, of: Card }\n  - step: Load all\n    thresholds: { warning: above 20s }\n    steps:\n      - repeat: { up_to: 10, until: The end }\n        steps: [{ click: More }]\n  - expect: { text: \"3\", of: { css: \"#n\" } }\n  - if_seen: Cookie banner\n    steps: [{ click: Nowhere }]\n  - { if_seen: The end, within: 1s, steps: [{ click: More }] }\n  - expect: { text: \"4\", of: { css: \"#n\" } }\n",
    );
    ran.ok();
    assert!(ran.measured("step.Load all") > 0.0);
    go("  - repeat: { up_to: 2, until: Never }\n    steps: [{ click: More }]\n")
        .fails_with("\"Never\" was not seen after 2 rounds");
    let ran = go(
        "  - step: Slow thing\n    thresholds: { warning: above 1ms, critical: above 1h }\n    steps: [{ click: More }]\n",
    );
    ran.ok();
    assert!(ran.said.contains("1 warning"), "{}", ran.said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_in_is_shared_and_done_anew_when_it_no_longer_holds() {
    let pages = Pages::start(&[("/", "<form action=/do-log-in><button>Log in</button></form>")]).await;
    let folder = Folder::new();
    folder.write(
        "flows/log-in/qa.yaml",
        "valid_for: 10m\nsteps:\n  - open: /\n  - click: Log in\n  - see: Logged in\n",
    );
    for name in ["a", "b", "c"] {
        let check = format!(
            "every: 1m\ntimeout: 30s\nbrowser: {{ url: \"{}\" }}\nsteps:\n  - log_in_as: qa\n  - open: /account\n  - {{ see: Your account, within: 2s }}\n  - see: token abc\n",
            pages.url()
        );
        folder.write(&format!("checks/{name}.yaml"), &check);
    }
    let answer = output(folder.path(), &["run"]);
    assert_eq!(answer.status.code(), Some(0), "{}", text(&answer.stdout));
    assert_eq!(pages.log_ins(), 1, "three scenarios, one log-in");

    // In a running haetae a log-in may end behind its back: that is no news of the page.
    for name in ["b", "c"] {
        std::fs::remove_file(folder.path().join(format!("checks/{name}.yaml"))).unwrap();
    }
    let check = std::fs::read_to_string(folder.path().join("checks/a.yaml")).unwrap();
    folder.write("checks/a.yaml", &check.replace("every: 1m", "every: 1s"));
    let server = Running::start(&folder).await;
    let results = "/api/v1/results?check=a&limit=20";
    let runs = |json: &Value| {
        json.as_array()
            .or(json["results"].as_array())
            .cloned()
            .unwrap_or_default()
    };
    // A due time that was missed is a row too, and no run.
    let ran = |json: &Value| runs(json).iter().filter(|run| run["level"] != "late").count();
    server.wait(results, "a second run", |json| ran(json) >= 2).await;
    assert_eq!(pages.log_ins(), 2, "the server has logged in once");
    pages.end_log_ins();
    let json = server
        .wait(results, "runs after a new log-in", |json| {
            pages.log_ins() == 3 && ran(json) >= 5
        })
        .await;
    assert!(
        runs(&json).iter().all(|run| run["level"] != "critical"),
        "{json:#}"
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn always_runs_after_a_failure_and_hides_nothing() {
    let html = "<a href='/?clean'>Tidy up</a>";
    let pages = Pages::start(&[("/", html)]).await;
    let folder = Folder::new();
    let ran = run(
        &folder,
        &pages,
        "",
        "steps:\n  - open: /\n  - { click: Nowhere, within: 200ms }\nalways:\n  - click: Tidy up\n  - { see: Never there, within: 200ms }\nexpect: { title: something else }\n",
    );
    ran.fails_with("nothing called \"Nowhere\"");
    assert!(pages.asked().iter().any(|asked| asked.contains("/?clean")));
    assert!(
        ran.said
            .contains("clean-up failed: nothing called \"Never there\""),
        "{}",
        ran.said
    );
    let ran = run(
        &folder,
        &pages,
        "",
        "steps:\n  - open: /\nexpect: { title: something else }\n",
    );
    ran.fails_with("the title is \"/\", expected \"something else\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_shows_what_failed_and_no_secret() {
    let html = "<label>Password <input type=password></label><label>Token <input id=t></label><p id=echo></p><p class=private>Ada Lovelace</p>\
                <script>t.oninput=()=>{echo.textContent='you typed '+t.value};console.error('first error');fetch('/missing.js').then(()=>late.textContent='asked')</script><p id=late></p>\
                <iframe title=Pay src=/frame></iframe><button disabled>Continue</button>";
    let pages = Pages::start(&[("/", html), ("/frame", "<label>Card secret <input></label>")]).await;
    let folder = Folder::new();
    folder.write("token.txt", "tok-93-secret-value");
    let ran = run(
        &folder,
        &pages,
        ", mask: { css: .private }",
        "steps:\n  - open: /\n  - type: { into: Token, text: \"${file:token.txt}\" }\n  - { type: { into: Card secret, text: \"${file:token.txt}\" }, frame: Pay }\n  - see: asked\n  - wait_for: idle\n  - { click: Continue, within: 300ms }\n",
    );
    ran.fails_with("button \"Continue\" is disabled");
    let evidence = &ran.run["outcome"]["evidence"];
    assert!(evidence["console"][0].as_str().unwrap().contains("first error"));
    assert_eq!(evidence["failed_requests"][0]["what"], "404");
    assert!(evidence["pages"][0]["load_ms"].is_number(), "{evidence}");
    let file = |what: &str| {
        let files = evidence["files"].as_array().unwrap();
        let found = files.iter().find(|file| file["what"] == what).unwrap();
        std::fs::read(found["path"].as_str().unwrap()).unwrap()
    };
    let source = text(&file("page source"));
    assert!(!source.contains("tok-93-secret-value"), "{source}");
    assert!(!source.contains("Ada Lovelace"), "{source}");
    assert!(source.contains("Continue"), "{source}");
    assert!(file("screenshot").starts_with(b"\x89PNG"));
    assert!(!ran.run.to_string().contains("tok-93-secret-value"));
    if let Ok(keep) = std::env::var("HAETAE_KEEP_PICTURE") {
        std::fs::write(keep, file("screenshot")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_time_codes_are_typed_and_pages_are_looked_over() {
    let pages = Pages::start(&[("/", "<label>Code <input id=c></label><img src=x.png>")]).await;
    let folder = Folder::new();
    folder.write("totp.txt", "JBSWY3DPEHPK3PXP");
    run(
        &folder,
        &pages,
        "",
        "steps:\n  - open: /\n  - type: { into: Code, text: \"${totp:file:totp.txt}\" }\n  - expect: { value: { matches: \"^[0-9]{6}$\" }, of: Code }\n",
    )
    .ok();
    let ran = run(
        &folder,
        &pages,
        "",
        "steps:\n  - open: /\n  - { expect: { accessible: true }, within: 200ms }\n",
    );
    ran.fails_with("pictures without a text (WCAG 1.1.1): 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_page_than_the_first_can_be_measured() {
    let pages = Pages::start(&[("/", "<a href=/slow>Next</a>")]).await;
    let folder = Folder::new();
    let steps =
        "steps:\n  - open: /\n  - step: Second\n    steps: [{ click: Next }, { see: Arrived late }]\n";
    let first = run(&folder, &pages, "", steps);
    let second = run(&folder, &pages, ", measure_page: Second", steps);
    assert!(first.ok().measured("time_to_first_byte") < 1_000.0);
    assert!(second.ok().measured("time_to_first_byte") > 1_400.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_page_and_a_slow_one_are_waited_for_as_long_as_the_step_may_take() {
    // Busy for three seconds; then a page that takes its time to answer.
    let html = "<p>Here<button onclick=\"const end=Date.now()+3000;while(Date.now()<end);out.textContent='worked'\">Work</button><p id=out></p><a href=/slow>Next</a>";
    once(
        html,
        "  - click: Work\n  - see: worked\n  - click: Next\n  - see: Arrived late\n",
    )
    .await
    .ok();
    let covered = "<style>form{position:relative}form::after{content:'';position:absolute;inset:0}</style><form><button type=button>Send</button></form>";
    once(covered, "  - { click: Send, within: 400ms }\n")
        .await
        .fails_with("is covered by");
    let pictured = "<label for=q><img alt=Search></label><input id=q>";
    once(
        pictured,
        "  - type: { into: Search, text: rust }\n  - expect: { value: rust, of: Search }\n",
    )
    .await
    .ok();
}
