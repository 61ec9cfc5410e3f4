// Runs inside the page, in a world of its own. `ask` takes a query made by locator.rs and
// its neighbours, as JSON, and answers in JSON; elements are told by numbers.
() => {
let query = {};

// Elements that were handed out. They keep their numbers as long as they live.
const numbers = new WeakMap();
const known = new Map();
function number(el) {
  if (!numbers.has(el)) {
    numbers.set(el, known.size + 1);
    known.set(known.size + 1, new WeakRef(el));
  }
  return numbers.get(el);
}
function element(n) {
  const el = known.get(n) && known.get(n).deref();
  if (!el || !el.isConnected) throw new Error('the element is gone');
  return el;
}

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

// A box to tick is often hidden, and its label is drawn as one.
function label(el) {
  return /^(checkbox|radio)$/.test(el.type || '') ? Array.from(el.labels || []).find(visible) : undefined;
}
const shown = (el) => visible(el) || !!label(el);

function textOf(el) {
  return fold(el.innerText === undefined ? el.textContent : el.innerText);
}

// Copies are made in a document that loads nothing.
const inert = document.implementation.createHTMLDocument('');

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
      const copy = inert.importNode(label, true);
      copy.querySelectorAll('input,select,textarea').forEach((inner) => inner.remove());
      const pictures = Array.from(copy.querySelectorAll('img[alt],[aria-label]'));
      return [copy.textContent, ...pictures.map((it) => it.getAttribute('alt') || it.getAttribute('aria-label'))].join(' ');
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

function hasShadows(root) {
  return Array.from(root.querySelectorAll('*')).some((el) => el.shadowRoot);
}

// The innermost visible elements whose text fits.
function byText(wanted, how, root) {
  if (!wanted) return [];
  const needle = wanted.toLowerCase();
  const found = [];
  const holds = (el) => fold(el.textContent).toLowerCase().includes(needle);
  // What stands in a shadow root is no text of what is around it: then nothing is passed by.
  let thorough = false;
  const visit = (el) => {
    if (['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'HEAD'].includes(el.tagName)) return false;
    let deeper = false;
    if (el.shadowRoot) for (const child of el.shadowRoot.children) deeper = visit(child) || deeper;
    if (!deeper && !thorough && !holds(el)) return false;
    for (const child of el.children) deeper = visit(child) || deeper;
    if (deeper) return true;
    if (!visible(el) || !fits[how](textOf(el), wanted)) return false;
    found.push(el);
    return true;
  };
  const top = root.nodeType === 9 ? root.body : root;
  if (top) visit(top);
  if (top && !found.length && hasShadows(root)) {
    thorough = true;
    visit(top);
  }
  return found;
}

function hosts(kind) { return { field: FIELDS, file: 'input[type=file]' }[kind] || CONTROLS; }

// How well the last words that were looked up fit.
let grade = 'whole';

// What a person reads: names of controls, placeholders, titles, visible text; whole before partial.
function byWords(wanted, kind, exact, root) {
  if (!wanted) return [];
  const controls = all(hosts(kind), root).filter(kind === 'file' ? Boolean : shown);
  const named = controls.map((el) => [el, nameOf(el)]);
  const titled = kind === 'any' ? all('[title],[alt]', root).filter(visible) : [];
  for (const how of exact ? ['whole'] : ['whole', 'folded', 'partial']) {
    const tiers = [
      () => named.filter(([, name]) => name && fits[how](name, wanted)).map(([el]) => el),
      () => controls.filter((el) => el.placeholder && fits[how](fold(el.placeholder), wanted)),
      () => titled.filter((el) => fits[how](fold(el.getAttribute('title')), wanted) || fits[how](fold(el.getAttribute('alt')), wanted)),
      () => kind === 'any' ? byText(wanted, how, root) : [],
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
  const below = root.nodeType === 1 && path.startsWith('/') ? '.' + path : path;
  const result = document.evaluate(below, root, null, XPathResult.ORDERED_NODE_SNAPSHOT_TYPE, null);
  return Array.from({ length: result.snapshotLength }, (_, n) => result.snapshotItem(n)).filter((node) => node.nodeType === 1);
}

function candidates(locator, kind, root) {
  let scope = root;
  if (locator.in) {
    const boxes = first(locator.in, root);
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

// The elements of the first of several locators that fits anything.
function first(locators, root) {
  for (const locator of locators) {
    const found = pick(locator, 'any', root);
    if (found.length) return found;
  }
  return [];
}

// Where to look: inside the elements that the steps around name, the outermost first.
function ground() {
  let root = document;
  for (const locators of query.inside || []) {
    const boxes = first(locators, root);
    if (boxes.length !== 1) return null;
    root = boxes[0];
  }
  return root;
}

function pick(locator, kind, root) {
  const got = candidates(locator, kind, root);
  if (!Array.isArray(got)) return got.many;
  const seen = kind === 'file' ? got : got.filter(shown);
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

// A press on what is around an element is a press on it when it lets presses through, or is
// a part of a control. Else something drawn over it takes the press.
function through(el, top) {
  if (!within(el, top)) return false;
  const control = el.closest(CONTROLS);
  return getComputedStyle(el).pointerEvents === 'none' || (control && within(top, control));
}

// Where a person would press: the middle of the first piece of it that has a size.
function pointOf(el) {
  const face = visible(el) ? el : label(el) || el;
  const boxes = Array.from(face.getClientRects()).filter((box) => box.width > 0 && box.height > 0);
  const box = boxes[0] || face.getBoundingClientRect();
  const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1);
  const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
  return { box, x, y };
}

// Whether a person could act on it now.
function readiness(el) {
  if (el.matches(':disabled') || el.closest('[aria-disabled=true]')) return { status: 'disabled' };
  let { box, x, y } = pointOf(el);
  const out = box.top < 0 || box.left < 0 || box.bottom > innerHeight || box.right > innerWidth;
  if (out) {
    (visible(el) ? el : label(el) || el).scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    ({ box, x, y } = pointOf(el));
  }
  const top = topAt(x, y);
  const labelled = top && el.labels && Array.from(el.labels).some((label) => within(top, label));
  if (top && !within(top, el) && !through(el, top) && !labelled) return { status: 'covered', by: describe(top) };
  const place = [box.x, box.y, box.width, box.height].map(Math.round);
  return { status: 'ready', box: place, x: Math.floor(x), y: Math.floor(y) };
}

// The field for files that belongs to what was found: a button or a label often stands for it.
function fileField() {
  const el = element(query.element);
  const fields = (root) => all('input[type=file]', root);
  const near = el.matches('input[type=file]') ? [el]
    : [el, el.closest('label,form,fieldset,section,[role=dialog]'), document].filter(Boolean).map(fields).find((hit) => hit.length) || [];
  return near.length === 1 ? { element: number(near[0]) } : { element: null, count: near.length };
}

function find() {
  const root = ground();
  if (!root) return query.count ? { status: 'counted', count: 0 } : { status: 'none', outside: true };
  const tried = query.locators;
  // A fallback is for what is gone, not for what is late.
  const most = query.first_only ? 1 : tried.length;
  for (let n = 0; n < most; n += 1) {
    let found = pick(tried[n], query.kind, root);
    if (!found.length && query.kind === 'file') found = pick(tried[n], 'any', root);
    if (!found.length) continue;
    if (query.count) return { status: 'counted', count: found.length };
    if (found.length > 1 && !query.any) {
      return { status: 'many', grade, count: found.length, candidates: found.slice(0, 6).map(describe) };
    }
    const el = found[0];
    const state = query.act ? readiness(el) : { status: 'ready', box: [] };
    return Object.assign(state, {
      element: number(el), tag: el.tagName, type: el.type || '', described: describe(el), fallback: n,
    });
  }
  return query.count ? { status: 'counted', count: 0 } : { status: 'none' };
}

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
// A page that is not painted has no frames: do not wait for one for ever.
const frame = () => Promise.race([new Promise((done) => { requestAnimationFrame(done); }), pause(50)]);

// Finds again and again until it is as wanted, or `for_ms` are over: ready (twice in the
// same place, to be acted on), seen, or gone.
async function wait() {
  const wanted = query;
  const end = performance.now() + wanted.for_ms;
  const patience = performance.now() + Math.min(1000, wanted.for_ms / 2);
  let before = null;
  let between = 40;
  for (;;) {
    query = { ...wanted, first_only: wanted.locators.length > 1 && performance.now() < patience };
    const now = find();
    const still = before && before.element === now.element && String(before.box) === String(now.box);
    if (wanted.until === 'ready' && now.status === 'ready' && (!wanted.act || still)) {
      if (wanted.guard) arm(element(now.element));
      return now;
    }
    if (wanted.until === 'seen' && now.count > 0) return now;
    if (wanted.until === 'gone' && now.count === 0) return now;
    // What has just become ready gets its second look.
    const first = now.status === 'ready' && !before;
    if (performance.now() >= end && !first) return Object.assign(now, { late: true });
    before = now.status === 'ready' ? now : null;
    // Not a frame: asking for one makes a page paint that has nothing to show. What does not
    // come soon is looked for less often: looking at a large page is work for it too.
    await pause(before ? 20 : between);
    between = Math.min(200, between * 1.25);
  }
}

// Between the look and the press something may slide under the mouse: a press that would
// hit another element is held back, and told.
let guard = null;
const PRESSES = ['pointerdown', 'mousedown', 'pointerup', 'mouseup', 'click', 'auxclick', 'contextmenu', 'dblclick'];
function arm(el) {
  disarm();
  const labels = el.labels ? Array.from(el.labels) : [];
  const mine = { hit: null, by: null };
  mine.listener = (event) => {
    if (!event.isTrusted) return;
    if (mine.hit === null) {
      const path = event.composedPath();
      mine.hit = path.includes(el) || labels.some((label) => path.includes(label)) || through(el, path[0]);
      if (!mine.hit) mine.by = path[0].nodeType === 1 ? describe(path[0]) : null;
    }
    if (!mine.hit) {
      event.preventDefault();
      event.stopImmediatePropagation();
    }
  };
  for (const type of PRESSES) addEventListener(type, mine.listener, { capture: true });
  guard = mine;
}
function disarm() {
  if (guard) for (const type of PRESSES) removeEventListener(type, guard.listener, { capture: true });
  // A document without one came after the press: nothing can be said of it here.
  const last = guard || { hit: null, by: null };
  const armed = !!guard;
  guard = null;
  return { armed, hit: last.hit, by: last.by };
}

// Fields into which secrets were typed, and the secrets.
const secretFields = new Set();
const secretTexts = new Set();

// These have parts of their own to type into: they are set as a whole.
const SET_WHOLE = ['date', 'time', 'month', 'week', 'datetime-local', 'color', 'range'];

// Puts all but the last character into a field; that one is pressed as a key, so that what
// listens for keys hears one too.
function fill() {
  const el = element(query.element);
  el.focus();
  if (query.secret) {
    secretFields.add(el);
    if (query.text.length >= 4) secretTexts.add(query.text);
  }
  const has = el.value !== undefined && el.tagName !== 'SELECT';
  if (has && (el.readOnly || el.disabled)) return { status: 'readonly' };
  if (has && SET_WHOLE.includes(el.type)) {
    el.value = query.text;
    changed(el);
    return { status: el.value ? 'filled' : 'refused', value: el.value };
  }
  let text = query.text;
  if (has && query.clear) el.select();
  else if (has && el.value) {
    try {
      el.setSelectionRange(el.value.length, el.value.length);
    } catch (unsupported) {
      text = el.value + text;
      el.select();
    }
  } else if (!has) {
    const selection = getSelection();
    selection.selectAllChildren(el);
    if (!query.clear) selection.collapseToEnd();
  }
  const letters = Array.from(text);
  const last = letters.pop();
  if (last === undefined) {
    if (query.clear) document.execCommand('delete');
    return { status: 'filled' };
  }
  const keys = query.keys || !/^[\x20-\x7e]$/.test(last);
  if (query.keys) {
    if (query.clear && (has ? el.value : el.textContent)) document.execCommand('delete');
    return { status: 'keys', text };
  }
  const whole = keys ? text : letters.join('');
  if (whole) {
    if (!document.execCommand('insertText', false, whole)) return { status: 'keys', text };
  } else if (query.clear && (has ? el.value : el.textContent)) {
    document.execCommand('delete');
  }
  return keys ? { status: 'filled' } : { status: 'last', text: last };
}

function changed(el) {
  el.dispatchEvent(new Event('input', { bubbles: true, composed: true }));
  el.dispatchEvent(new Event('change', { bubbles: true }));
}

function empty() {
  const el = element(query.element);
  el.focus();
  if (el.value !== undefined) {
    if (SET_WHOLE.includes(el.type)) { el.value = ''; changed(el); return {}; }
    el.select();
  } else getSelection().selectAllChildren(el);
  if (el.value !== '') document.execCommand('delete');
  // Some keep what they hold until the field is left.
  if (el.value !== undefined) el.dispatchEvent(new Event('change', { bubbles: true }));
  return {};
}

// What the page offers, for a message about what was not found.
function offers() {
  const names = new Set();
  const add = (el) => {
    if (names.size >= 400 || el.tagName === 'OPTION' || !visible(el)) return;
    const described = describe(el);
    if (!described.includes('""')) names.add(described);
  };
  all(CONTROLS + ',h1,h2,h3,h4,label,legend,th', document).forEach(add);
  for (const el of all('iframe,frame', document)) {
    const name = [el.title, el.getAttribute('aria-label'), el.name, el.id].map(fold).find(Boolean);
    names.add(name ? `frame "${name}"` : 'frame without a name');
  }
  // Short texts too: what a page says is often what was looked for, in other words.
  all('p,li,td,dt,dd,span,strong,em,div,output,[role=alert],[role=status]', document)
    .filter((el) => !el.children.length && fold(el.textContent).length > 2 && el.textContent.length < 100 && !el.closest(CONTROLS))
    .slice(0, 200).forEach(add);
  return { offers: Array.from(names), title: document.title, url: location.href };
}

// Every control with the shortest words that name it alone, for whoever writes a scenario.
function locators() {
  const list = [];
  for (const el of all(CONTROLS, document).filter((el) => el.tagName !== 'OPTION' && shown(el))) {
    if (list.length >= 200) break;
    const field = el.matches(FIELDS);
    const name = nameOf(el) || fold(el.placeholder) || fold(el.title);
    const alone = (words, kind) => words && byWords(words, kind, false, document).filter(shown).length === 1;
    const verb = el.tagName === 'SELECT' || el.getAttribute('role') === 'combobox' ? 'choose'
      : /^(checkbox|radio|switch)$/.test(el.type || '') || el.getAttribute('role') === 'checkbox' ? 'check'
        : field ? 'type' : 'click';
    const id = el.getAttribute(query.test_id_attribute);
    list.push({
      verb, name, alone: !!alone(name, field ? 'field' : 'any'),
      test_id: id || null, id: el.id && !/\d{3,}/.test(el.id) ? el.id : null, tag: el.tagName.toLowerCase(),
    });
  }
  return { url: location.href, title: document.title, list };
}

// Long-lived observers of how the page feels to a person.
const vitals = { lcp: null, cls: null, inp: null, window: { value: 0, first: 0, last: 0 }, started: false };
function observe(type, options, take) {
  try {
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true, ...options });
    return true;
  } catch (unsupported) { return false; }
}
function startVitals() {
  vitals.started = true;
  observe('largest-contentful-paint', {}, (entry) => { vitals.lcp = entry.startTime; });
  // Shifts less than 1 s apart within 5 s count together; the worst of such windows is told.
  if (PerformanceObserver.supportedEntryTypes.includes('layout-shift')) vitals.cls = 0;
  observe('layout-shift', {}, (entry) => {
    if (entry.hadRecentInput) return;
    const w = vitals.window;
    const goes = entry.startTime - w.last < 1000 && entry.startTime - w.first < 5000;
    vitals.window = goes ? { ...w, value: w.value + entry.value, last: entry.startTime }
      : { value: entry.value, first: entry.startTime, last: entry.startTime };
    vitals.cls = Math.max(vitals.cls, vitals.window.value);
  });
  observe('event', { durationThreshold: 16 }, (entry) => {
    if (entry.interactionId) vitals.inp = Math.max(vitals.inp || 0, entry.duration);
  });
}

async function facts() {
  if (!vitals.started) {
    startVitals();
    await pause(0);
  }
  const nav = performance.getEntriesByType('navigation')[0];
  const resources = performance.getEntriesByType('resource');
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  return {
    origin: location.protocol === 'chrome-error:' ? null : performance.timeOrigin,
    time_to_first_byte: nav ? nav.responseStart : null,
    dom_content_loaded: nav && nav.domContentLoadedEventEnd > 0 ? nav.domContentLoadedEventEnd : null,
    load: nav && nav.loadEventEnd > 0 ? nav.loadEventEnd : null,
    first_contentful_paint: paint ? paint.startTime : null,
    largest_contentful_paint: vitals.lcp,
    cumulative_layout_shift: vitals.cls,
    interaction_to_next_paint: vitals.inp,
    page_weight: resources.reduce((sum, entry) => sum + (entry.transferSize || 0), nav ? nav.transferSize || 0 : 0),
    requests: resources.length + 1,
  };
}

function options() {
  const select = query.element ? element(query.element) : null;
  const root = ground();
  const list = select ? Array.from(select.options || []) : root ? all('option', root).filter(visible) : [];
  const wanted = fold(query.option);
  for (const how of ['whole', 'folded', 'partial']) {
    const found = list.filter((option) => fits[how](fold(option.label || option.textContent), wanted) || option.value === query.option);
    if (found.length === 1) {
      const owner = found[0].closest('select');
      if (found[0].disabled || owner.disabled) return { status: 'disabled' };
      if (!owner.multiple) owner.focus();
      found[0].selected = true;
      changed(owner);
      return { status: 'ready' };
    }
    if (found.length > 1) return { status: 'many', grade, count: found.length, candidates: found.slice(0, 6).map((o) => fold(o.textContent)) };
  }
  return { status: 'none', offers: list.slice(0, 30).map((option) => fold(option.textContent)) };
}

function read() {
  const el = element(query.element);
  const attributes = {};
  for (const name of query.attributes || []) attributes[name] = el.getAttribute(name);
  return {
    text: textOf(el),
    value: el.value === undefined || el.tagName === 'LI' ? null : String(el.value),
    checked: !!el.checked || ['true', 'mixed'].includes(el.getAttribute('aria-checked')),
    enabled: !el.matches(':disabled') && el.getAttribute('aria-disabled') !== 'true',
    attributes,
  };
}

// What is not to be seen in pictures and sources: fields that hold secrets, elements that
// the scenario names, texts that show a secret.
function masked() {
  (query.secrets || []).forEach((text) => secretTexts.add(text));
  const found = new Set([...secretFields].filter((el) => el.isConnected));
  for (const locator of query.locators || []) for (const el of pick(locator, 'any', document)) found.add(el);
  if (secretTexts.size && document.body) {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if ([...secretTexts].some((text) => node.nodeValue.includes(text))) found.add(node.parentElement);
    }
    for (const el of all('input,textarea', document)) if (secretTexts.has(el.value)) found.add(el);
  }
  return found;
}

let covers = [];
function uncover() {
  covers.forEach((cover) => cover.remove());
  covers = [];
  return {};
}
function cover(el, style) {
  for (const box of el.getClientRects()) {
    if (!box.width || !box.height) continue;
    const over = document.createElement('div');
    over.style.cssText = `all:initial;position:fixed;pointer-events:none;z-index:2147483647;box-sizing:border-box;left:${box.left}px;top:${box.top}px;width:${box.width}px;height:${box.height}px;${style}`;
    document.documentElement.append(over);
    covers.push(over);
  }
}
async function dress() {
  uncover();
  for (const el of masked()) cover(el, 'background:#222');
  const marked = query.element && known.get(query.element) && known.get(query.element).deref();
  if (marked && marked.isConnected) cover(marked, 'outline:3px solid #d00;outline-offset:2px');
  if (covers.length) await frame();
  return { covered: covers.length };
}

function source() {
  uncover();
  const hidden = masked();
  const copy = inert.importNode(document.documentElement, true);
  const originals = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_ELEMENT);
  const copies = document.createTreeWalker(copy, NodeFilter.SHOW_ELEMENT);
  const pairs = [];
  for (let a = originals.currentNode, b = copies.currentNode; a && b; a = originals.nextNode(), b = copies.nextNode()) pairs.push([a, b]);
  for (const [original, twin] of pairs) {
    if (original.tagName === 'INPUT' && original.type === 'password') twin.removeAttribute('value');
    if (!hidden.has(original)) continue;
    twin.removeAttribute('value');
    twin.textContent = '***';
  }
  return { html: '<!doctype html>\n' + copy.outerHTML };
}

// A few rules of WCAG 2 that need no judgement, each with the first element that breaks it.
function barriers() {
  const broken = [];
  const check = (rule, list) => { if (list.length) broken.push(`${rule}: ${list.length}, the first is ${list[0]}`); };
  const html = (el) => inert.importNode(el, false).outerHTML.slice(0, 120);
  if (!document.documentElement.lang) broken.push('the page does not say its language (WCAG 3.1.1)');
  if (!fold(document.title)) broken.push('the page has no title (WCAG 2.4.2)');
  check('pictures without a text (WCAG 1.1.1)', all('img:not([alt]):not([role=presentation]):not([aria-hidden=true])', document).filter(visible).filter((el) => !nameOf(el)).map(html));
  check('fields without a name (WCAG 4.1.2)', all(FIELDS, document).filter(visible).filter((el) => !nameOf(el) && !fold(el.title) && !fold(el.placeholder)).map(html));
  check('buttons and links without a name (WCAG 4.1.2)', all(`${ROLES.button},${ROLES.link}`, document).filter(visible).filter((el) => !nameOf(el) && !fold(el.title)).map(html));
  const ids = new Map();
  for (const el of document.querySelectorAll('[id]')) ids.set(el.id, (ids.get(el.id) || 0) + 1);
  const twice = [...document.querySelectorAll('label[for],[aria-labelledby]')]
    .flatMap((el) => (el.getAttribute('for') || el.getAttribute('aria-labelledby')).split(/\s+/))
    .filter((id) => ids.get(id) > 1);
  check('ids that labels point at and that are there twice (WCAG 4.1.2)', twice.map((id) => `#${id}`));
  return { broken };
}

function store() {
  const read = (storage) => Object.fromEntries(Object.keys(storage).map((key) => [key, storage.getItem(key)]));
  try {
    return { origin: location.origin, local: read(localStorage), session: read(sessionStorage) };
  } catch (denied) { return { origin: location.origin, local: {}, session: {} }; }
}

const operations = {
  find, wait, file_field: fileField, offers, locators, facts, options, read, fill, empty, dress, source, barriers, store,
  uncover, guarded: disarm,
  point: () => pointOf(element(query.element)),
  page: () => ({ title: document.title, url: location.href, text: document.body ? textOf(document.body) : '', ready: document.readyState }),
};
globalThis.__haetae = {
  element,
  ask: (text) => {
    query = JSON.parse(text);
    const answer = operations[query.operation]();
    return answer instanceof Promise ? answer.then(JSON.stringify) : JSON.stringify(answer);
  },
};
return 'installed';
}
