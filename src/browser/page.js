// Runs inside the page, once per poll. arguments[0] is a query made by locator.rs; the
// answer is plain JSON, with elements as WebDriver references.
const query = arguments[0];

const CONTROLS = 'button,a[href],input,select,textarea,summary,option,[contenteditable=""],[contenteditable=true],' +
  '[role=button],[role=link],[role=tab],[role=menuitem],[role=checkbox],[role=radio],[role=switch],[role=option],' +
  '[role=textbox],[role=searchbox],[role=combobox],[role=listbox],[role=slider],[role=treeitem]';
const FIELDS = 'input:not([type=submit]):not([type=button]):not([type=reset]):not([type=image]):not([type=hidden]),' +
  'select,textarea,[contenteditable=""],[contenteditable=true],[role=textbox],[role=searchbox],[role=combobox],' +
  '[role=listbox],[role=checkbox],[role=radio],[role=switch],[role=slider]';
const ROLES = {
  button: 'button,input[type=submit],input[type=button],input[type=reset],input[type=image],summary,[role=button]',
  link: 'a[href],[role=link]',
  textbox: 'input:not([type]),input[type=text],input[type=email],input[type=password],input[type=tel],input[type=url],input[type=number],textarea,[role=textbox],[contenteditable=true],[contenteditable=""]',
  searchbox: 'input[type=search],[role=searchbox]',
  checkbox: 'input[type=checkbox],[role=checkbox]',
  radio: 'input[type=radio],[role=radio]',
  combobox: 'select:not([multiple]),[role=combobox]',
  listbox: 'select[multiple],[role=listbox]',
  option: 'option,[role=option]',
  heading: 'h1,h2,h3,h4,h5,h6,[role=heading]',
  img: 'img,svg,[role=img]', image: 'img,svg,[role=img]',
  list: 'ul,ol,[role=list]', listitem: 'li,[role=listitem]',
  row: 'tr,[role=row]', cell: 'td,[role=cell],[role=gridcell]', table: 'table,[role=table],[role=grid]',
  dialog: 'dialog,[role=dialog],[role=alertdialog]', alert: '[role=alert]', status: '[role=status],output',
  tab: '[role=tab]', menuitem: '[role=menuitem]', navigation: 'nav,[role=navigation]', main: 'main,[role=main]',
  form: 'form,[role=form]', switch: '[role=switch]', slider: 'input[type=range],[role=slider]',
};

const fold = (text) => (text || '').replace(/\s+/g, ' ').trim();

// Every element below a root, through open shadow roots, that fits a selector.
function all(selector, root) {
  const found = [];
  const visit = (scope) => {
    for (const el of scope.querySelectorAll('*')) {
      if (el.matches(selector)) found.push(el);
      if (el.shadowRoot) visit(el.shadowRoot);
    }
  };
  if (root.nodeType === 1 && root.shadowRoot) visit(root.shadowRoot);
  visit(root);
  return found;
}

function visible(el) {
  if (el.tagName === 'OPTION') return visible(el.closest('select') || el.parentElement || document.body);
  if (!el.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })) return false;
  return Array.from(el.getClientRects()).some((box) => box.width > 0 && box.height > 0);
}

function textOf(el) {
  return fold(el.innerText === undefined ? el.textContent : el.innerText);
}

// The accessible name as far as people notice it (a subset of accname-1.2).
function nameOf(el) {
  const root = el.getRootNode();
  const by = el.getAttribute('aria-labelledby');
  if (by) {
    const text = fold(by.split(/\s+/).map((id) => { const it = root.getElementById && root.getElementById(id); return it ? it.textContent : ''; }).join(' '));
    if (text) return text;
  }
  const aria = fold(el.getAttribute('aria-label'));
  if (aria) return aria;
  if (el.labels && el.labels.length) {
    return fold(Array.from(el.labels).map((label) => {
      const copy = label.cloneNode(true);
      copy.querySelectorAll('input,select,textarea').forEach((inner) => inner.remove());
      return copy.textContent;
    }).join(' '));
  }
  if (el.tagName === 'INPUT') {
    if (['submit', 'button', 'reset'].includes(el.type)) return fold(el.value) || { submit: 'Submit', reset: 'Reset' }[el.type] || '';
    if (el.type === 'image') return fold(el.alt);
    return '';
  }
  if (el.matches('select,textarea')) return '';
  const alts = Array.from(el.querySelectorAll('img[alt],svg[aria-label]')).map((img) => img.getAttribute('alt') || img.getAttribute('aria-label'));
  return fold(textOf(el) + ' ' + alts.join(' '));
}

const fits = {
  whole: (there, wanted) => there === wanted,
  folded: (there, wanted) => there.toLowerCase() === wanted.toLowerCase(),
  partial: (there, wanted) => there.toLowerCase().includes(wanted.toLowerCase()),
};

// The innermost visible elements whose text fits.
function byText(wanted, how, root) {
  const needle = wanted.toLowerCase();
  const found = [];
  const holds = (el) => fold(el.textContent).toLowerCase().includes(needle);
  const visit = (el) => {
    if (['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'HEAD'].includes(el.tagName)) return false;
    let deeper = false;
    if (el.shadowRoot) for (const child of el.shadowRoot.children) deeper = visit(child) || deeper;
    if (!deeper && !holds(el)) return false;
    for (const child of el.children) deeper = visit(child) || deeper;
    if (deeper) return true;
    if (!visible(el) || !fits[how](textOf(el), wanted)) return false;
    found.push(el);
    return true;
  };
  const top = root.nodeType === 9 ? root.body : root;
  if (top) visit(top);
  return found;
}

function hosts(kind) { return kind === 'field' ? FIELDS : CONTROLS; }

// How well the last words that were looked up fit.
let grade = 'whole';

// What a person reads: names of controls, placeholders, titles, visible text; whole before partial.
function byWords(wanted, kind, exact, root) {
  const controls = all(hosts(kind), root).filter(visible);
  const named = controls.map((el) => [el, nameOf(el)]);
  const titled = kind === 'field' ? [] : all('[title],[alt]', root).filter(visible);
  for (const how of exact ? ['whole'] : ['whole', 'folded', 'partial']) {
    const tiers = [
      () => named.filter(([, name]) => name && fits[how](name, wanted)).map(([el]) => el),
      () => controls.filter((el) => el.placeholder && fits[how](fold(el.placeholder), wanted)),
      () => titled.filter((el) => fits[how](fold(el.getAttribute('title')), wanted) || fits[how](fold(el.getAttribute('alt')), wanted)),
      () => kind === 'field' ? [] : byText(wanted, how, root),
    ];
    for (const tier of tiers) {
      const found = tier().filter((el) => el.tagName !== 'OPTION');
      if (found.length) { grade = how; return inner(found); }
    }
  }
  return [];
}

// A control inside a control of the same words is one thing: keep the outer one.
function inner(found) {
  return found.filter((el) => !found.some((other) => other !== el && other.contains(el)));
}

function byXPath(path, root) {
  const result = document.evaluate(path, root, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
  return Array.from({ length: result.snapshotLength }, (_, n) => result.snapshotItem(n)).filter((node) => node.nodeType === 1);
}

function candidates(locator, kind, root) {
  let scope = root;
  if (locator.in) {
    const boxes = pick(locator.in, 'any', root);
    if (boxes.length !== 1) return boxes.length ? { many: boxes } : [];
    scope = boxes[0];
  }
  let found;
  const exact = locator.exact;
  const graded = (els, read, wanted) => {
    for (const how of exact ? ['whole'] : ['whole', 'folded', 'partial']) {
      const hit = els.filter((el) => fits[how](read(el), wanted));
      if (hit.length) { grade = how; return hit; }
    }
    return [];
  };
  if (locator.words !== undefined) found = byWords(fold(locator.words), kind, exact, scope);
  else if (locator.text !== undefined) {
    found = [];
    for (const how of exact ? ['whole'] : ['whole', 'folded', 'partial']) {
      if (!found.length) { grade = how; found = byText(fold(locator.text), how, scope); }
    }
  }
  else if (locator.label !== undefined) found = graded(all(FIELDS, scope), nameOf, fold(locator.label));
  else if (locator.role !== undefined) {
    found = all(ROLES[locator.role] || `[role="${CSS.escape(locator.role)}"]`, scope);
    if (locator.name !== undefined) found = graded(found, nameOf, fold(locator.name));
  }
  else if (locator.placeholder !== undefined) found = graded(all('[placeholder]', scope), (el) => fold(el.getAttribute('placeholder')), fold(locator.placeholder));
  else if (locator.test_id !== undefined) found = all(`[${locator.test_id_attribute}="${CSS.escape(locator.test_id)}"]`, scope);
  else if (locator.css !== undefined) found = all(locator.css, scope);
  else if (locator.xpath !== undefined) found = byXPath(locator.xpath, scope);
  else if (locator.frame !== undefined) {
    const named = (el) => [el.title, el.getAttribute('aria-label'), el.name, el.id].map(fold).filter(Boolean);
    const frames = all('iframe,frame', scope);
    found = [];
    for (const how of ['whole', 'folded', 'partial']) {
      if (!found.length) found = frames.filter((el) => named(el).some((name) => fits[how](name, fold(locator.frame))));
    }
  }
  else found = [];
  if (locator.near !== undefined) found = near(found, fold(locator.near), root);
  return found;
}

// The nearest box that holds the words and at least one of the found elements.
function near(found, words, root) {
  const marks = ['whole', 'folded', 'partial'].map((how) => byText(words, how, root)).find((hit) => hit.length) || [];
  for (const mark of marks) {
    for (let box = mark; box; box = box.parentElement) {
      const close = found.filter((el) => box.contains(el));
      if (close.length) return close;
    }
  }
  return [];
}

function pick(locator, kind, root) {
  const got = candidates(locator, kind, root);
  if (!Array.isArray(got)) return got.many;
  const seen = query.hidden_too ? got : got.filter(visible);
  if (locator.nth) return seen[locator.nth - 1] ? [seen[locator.nth - 1]] : [];
  return seen;
}

// How a person would tell one candidate from another.
function describe(el) {
  const name = nameOf(el) || fold(el.getAttribute('placeholder')) || textOf(el);
  const tag = el.tagName.toLowerCase();
  const what = el.getAttribute('role') || { a: 'link', input: el.type === 'submit' || el.type === 'button' ? 'button' : (el.type || 'text') + ' field', select: 'list', textarea: 'text field' }[tag] || tag;
  const id = el.id ? ' #' + el.id : '';
  const state = el.matches(':disabled') || el.getAttribute('aria-disabled') === 'true' ? ', disabled' : '';
  return `${what} "${name.slice(0, 80)}"${id}${state}`;
}

function topAt(x, y) {
  let el = document.elementFromPoint(x, y);
  while (el && el.shadowRoot) {
    const deeper = el.shadowRoot.elementFromPoint(x, y);
    if (!deeper || deeper === el) break;
    el = deeper;
  }
  return el;
}

function within(el, outer) {
  for (let at = el; at; at = at.parentNode || (at.host)) if (at === outer) return true;
  return false;
}

// Whether a person could act on it now.
function readiness(el) {
  if (el.matches(':disabled') || el.getAttribute('aria-disabled') === 'true') return { status: 'disabled' };
  let box = el.getBoundingClientRect();
  const out = box.top < 0 || box.left < 0 || box.bottom > innerHeight || box.right > innerWidth;
  if (out) {
    el.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    box = el.getBoundingClientRect();
  }
  const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
  const top = topAt(x, y);
  const labelled = top && el.labels && Array.from(el.labels).some((label) => within(top, label));
  if (top && !within(top, el) && !within(el, top) && !labelled) return { status: 'covered', by: describe(top) };
  return { status: 'ready', box: [box.x, box.y, box.width, box.height].map(Math.round) };
}

function find() {
  const tried = query.locators;
  for (let n = 0; n < tried.length; n += 1) {
    const found = pick(tried[n], query.kind, document);
    if (!found.length) continue;
    if (query.count) return { status: 'counted', count: found.length };
    if (found.length > 1 && !query.any) {
      return { status: 'many', grade, count: found.length, candidates: found.slice(0, 6).map(describe) };
    }
    const el = found[0];
    const state = query.act ? readiness(el) : { status: 'ready', box: [] };
    return Object.assign(state, { element: el, described: describe(el), fallback: n });
  }
  return query.count ? { status: 'counted', count: 0 } : { status: 'none' };
}

// What the page offers, for a message about what was not found.
function offers() {
  const names = new Set();
  for (const el of all(CONTROLS + ',h1,h2,h3,h4,label,legend,th', document)) {
    if (names.size >= 300) break;
    if (el.tagName !== 'OPTION' && visible(el)) {
      const described = describe(el);
      if (!described.includes('""')) names.add(described);
    }
  }
  return { offers: Array.from(names), title: document.title, url: location.href };
}

function facts() {
  const nav = performance.getEntriesByType('navigation')[0];
  const resources = performance.getEntriesByType('resource');
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  if (!window.__haetae) {
    const kept = window.__haetae = { lcp: null, cls: 0 };
    try {
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) kept.lcp = entry.startTime; })
        .observe({ type: 'largest-contentful-paint', buffered: true });
      new PerformanceObserver((list) => { for (const entry of list.getEntries()) if (!entry.hadRecentInput) kept.cls += entry.value; })
        .observe({ type: 'layout-shift', buffered: true });
    } catch (unsupported) { /* Firefox has neither */ }
  }
  return {
    origin: performance.timeOrigin,
    time_to_first_byte: nav ? nav.responseStart : null,
    dom_content_loaded: nav && nav.domContentLoadedEventEnd > 0 ? nav.domContentLoadedEventEnd : null,
    load: nav && nav.loadEventEnd > 0 ? nav.loadEventEnd : null,
    first_contentful_paint: paint ? paint.startTime : null,
    largest_contentful_paint: window.__haetae.lcp,
    cumulative_layout_shift: window.__haetae.cls,
    page_weight: resources.reduce((sum, entry) => sum + (entry.transferSize || 0), nav ? nav.transferSize || 0 : 0),
    requests: resources.length + 1,
  };
}

function options() {
  const select = query.element;
  const list = select ? Array.from(select.options || []) : all('option', document).filter(visible);
  const wanted = fold(query.option);
  for (const how of ['whole', 'folded', 'partial']) {
    const found = list.filter((option) => fits[how](fold(option.label || option.textContent), wanted) || option.value === wanted);
    if (found.length === 1) {
      const owner = found[0].closest('select');
      if (found[0].disabled) return { status: 'disabled' };
      found[0].selected = true;
      owner.dispatchEvent(new Event('input', { bubbles: true }));
      owner.dispatchEvent(new Event('change', { bubbles: true }));
      return { status: 'ready' };
    }
    if (found.length > 1) return { status: 'many', grade, count: found.length, candidates: found.slice(0, 6).map((o) => fold(o.textContent)) };
  }
  return { status: 'none', offers: list.slice(0, 30).map((option) => fold(option.textContent)) };
}

function read() {
  const el = query.element;
  return { text: textOf(el), value: el.value === undefined ? null : String(el.value), checked: !!el.checked || el.getAttribute('aria-checked') === 'true', enabled: !el.matches(':disabled'), attribute: query.attribute ? el.getAttribute(query.attribute) : null };
}

const operations = {
  find, offers, facts, options, read,
  page: () => ({ title: document.title, url: location.href, text: document.body ? textOf(document.body) : '', ready: document.readyState }),
  mask: () => { query.element.style.setProperty('-webkit-text-security', 'disc', 'important'); return {}; },
};
return operations[query.operation]();
