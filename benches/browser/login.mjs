// The six steps of the demo shop's log-in, done with other tools, to compare with. Usage:
//   node login.mjs playwright|selenium --url URL --user NAME --password TEXT [--runs 20] [--at-once 1]
//     [--browser PROGRAM] [--typing fill|keys] [--new-browser] [--driver PROGRAM] [--new-driver]
// Prints one line of JSON. Evidence is on: what a page says, fails to load or answers with 400 and above is
// collected in every run, a picture is taken of a run that fails.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

const WARM_UP = 3;
const PATIENCE = 10_000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'url': { type: 'string', default: 'http://127.0.0.1:8700' },
    'user': { type: 'string', default: 'qa-bot' },
    'password': { type: 'string' },
    'runs': { type: 'string', default: '20' },
    'at-once': { type: 'string', default: '1' },
    'browser': { type: 'string', default: '/usr/lib/chromium/chromium-headless-shell' },
    'driver': { type: 'string', default: inPath('chromedriver') },
    'typing': { type: 'string' },
    'new-browser': { type: 'boolean', default: false },  // Playwright: one browser for every run
    'new-driver': { type: 'boolean', default: false },   // Selenium: one ChromeDriver for every run
  },
});
const tools = { playwright, selenium };
const [tool] = positionals;
const runs = Number(options.runs);
const atOnce = Number(options['at-once']);
const typing = options.typing ?? (tool === 'selenium' ? 'keys' : 'fill');
if (!tools[tool] || !options.password || !(runs > 0) || !(atOnce > 0)) wrong('see the top of this file');
if (!['fill', 'keys'].includes(typing)) wrong('--typing is fill or keys');
if (tool === 'selenium' && typing === 'fill') wrong('Selenium types keys only');

await adoptOrphans();
const bench = await tools[tool]();
for (let at = 0; at < WARM_UP; at += 1) await bench.run();

const before = { browser: cpuOfDescendants(), client: process.cpuUsage(), at: performance.now() };
let left = runs;
let inRuns = 0;
await Promise.all(Array.from({ length: atOnce }, async () => {
  while (left > 0) {
    left -= 1;
    const began = performance.now();
    await bench.run();
    inRuns += performance.now() - began;
  }
}));
const minutes = (performance.now() - before.at) / 60_000;
const client = process.cpuUsage(before.client);
const browser = cpuOfDescendants() - before.browser;
await bench.end();

const rounded = (number) => Number(number.toFixed(3));
console.log(JSON.stringify({
  tool,
  typing,
  browser: path.basename(options.browser),
  runs,
  at_once: atOnce,
  wall_s_per_run: rounded(inRuns / 1000 / runs),
  runs_per_min: rounded(runs / minutes),
  cpu_s_per_run_browser: rounded(browser / runs),
  cpu_s_per_run_client: rounded((client.user + client.system) / 1e6 / runs),
}));

/** The browser is kept, every run has a context of its own; with --new-browser nothing is kept. */
async function playwright() {
  const { chromium } = await import('playwright-core');
  const launch = () => chromium.launch({
    executablePath: options.browser,
    args: ['--no-sandbox', '--disable-gpu'],
  });
  const kept = options['new-browser'] ? null : await launch();

  const steps = async (page) => {
    const type = async (label, text) => {
      const field = page.getByLabel(label);
      await (typing === 'fill' ? field.fill(text) : field.pressSequentially(text));
    };
    await page.goto(`${options.url}/shop/login`);
    await type('E-mail', options.user);
    await type('Password', options.password);
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText(`Hello, ${options.user}`).waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByLabel('E-mail').waitFor();
  };
  return {
    async run() {
      const browser = kept ?? await launch();
      const context = await browser.newContext();
      context.setDefaultTimeout(PATIENCE);
      const page = await context.newPage();
      const evidence = [];
      page.on('console', (message) => evidence.push(`${message.type()}: ${message.text()}`));
      page.on('pageerror', (error) => evidence.push(`error: ${error.message}`));
      page.on('requestfailed', (request) => evidence.push(`${request.url()}: ${request.failure()?.errorText}`));
      page.on('response', (response) => {
        if (response.status() >= 400) evidence.push(`${response.url()}: ${response.status()}`);
      });
      try {
        await steps(page);
      } catch (error) {
        keep(await page.screenshot(), evidence);
        throw error;
      } finally {
        await context.close();
        if (!kept) await browser.close();
      }
    },
    async end() { await kept?.close(); },
  };
}

/** Every run has a new session, and by that a new browser. */
async function selenium() {
  const { Browser, Builder, By, logging, until } = await import('selenium-webdriver');
  const chrome = await import('selenium-webdriver/chrome.js');
  if (!options.driver) wrong('there is no chromedriver; name it with --driver');
  const service = () => new chrome.default.ServiceBuilder(options.driver);
  const kept = options['new-driver'] ? null : service().build();
  const address = await kept?.start();

  const session = () => {
    const wanted = new chrome.default.Options();
    wanted.setChromeBinaryPath(options.browser);
    wanted.addArguments('--headless', '--no-sandbox', '--disable-gpu');
    const log = new logging.Preferences();
    log.setLevel(logging.Type.BROWSER, logging.Level.ALL);
    wanted.setLoggingPrefs(log);
    const builder = new Builder().forBrowser(Browser.CHROME).setChromeOptions(wanted);
    return kept ? builder.usingServer(address).build() : builder.setChromeService(service()).build();
  };
  const steps = async (driver) => {
    const found = async (xpath) => {
      const element = await driver.wait(until.elementLocated(By.xpath(xpath)), PATIENCE);
      return driver.wait(until.elementIsVisible(element), PATIENCE);
    };
    const field = (label) => found(`//input[@id=//label[normalize-space()='${label}']/@for]`);
    const button = (name) => found(`//button[normalize-space()='${name}']`);
    await driver.get(`${options.url}/shop/login`);
    await (await field('E-mail')).sendKeys(options.user);
    await (await field('Password')).sendKeys(options.password);
    await (await button('Log in')).click();
    await found(`//*[text()[contains(., 'Hello, ${options.user}')]]`);
    await (await button('Log out')).click();
    await field('E-mail');
  };
  return {
    async run() {
      const driver = await session();
      const said = async () => (await driver.manage().logs().get(logging.Type.BROWSER)).map((entry) => entry.message);
      try {
        await steps(driver);
        await said();
      } catch (error) {
        keep(Buffer.from(await driver.takeScreenshot(), 'base64'), await said());
        throw error;
      } finally {
        await driver.quit();
      }
    },
    async end() { await kept?.kill(); },
  };
}

function keep(picture, evidence) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'login-'));
  fs.writeFileSync(path.join(folder, 'failed.png'), picture);
  fs.writeFileSync(path.join(folder, 'evidence.txt'), evidence.join('\n') + '\n');
  console.error(`a run failed; see ${folder}`);
}

/**
 * A browser is ended together with its helpers, and whoever outlives its parent goes to the system's first
 * process, with the account of its time. Linux lets a process ask for such orphans instead; Node.js has no
 * call for it, so this script is started a second time by something that has.
 */
async function adoptOrphans() {
  if (process.env.LOGIN_ADOPTS) return;
  const { spawnSync } = await import('node:child_process');
  const ask = 'import ctypes, os, sys; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])';
  const again = ['-c', ask, process.execPath, ...process.argv.slice(1)];
  const { status, error } = spawnSync('python3', again, { stdio: 'inherit', env: { ...process.env, LOGIN_ADOPTS: '1' } });
  if (!error) process.exit(status ?? 1);
  console.error('without python3, the time of browsers that have ended is not complete');
}

/**
 * Seconds of processor time that everything started from here has used. What a process used is passed on to
 * the one that waits for its end, so ended ones are in it. Of every process the last unfinished hundredth of
 * a second is missing, which adds up to about a tenth where each run starts a browser.
 */
function cpuOfDescendants() {
  const children = new Map();
  const used = new Map();
  for (const pid of fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    let line;
    try {
      line = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    } catch {
      continue;  // it has just ended
    }
    // The program's name is in parentheses and may hold spaces; the numbers begin behind it.
    const after = line.slice(line.lastIndexOf(')') + 2).split(' ');
    const parent = Number(after[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
    const [user, system, waitedUser, waitedSystem] = after.slice(11, 15).map(Number);
    const own = Number(pid) === process.pid ? 0 : user + system;
    used.set(Number(pid), own + waitedUser + waitedSystem);
  }
  const from = (pid) => (children.get(pid) ?? []).reduce((sum, child) => sum + from(child), used.get(pid));
  return from(process.pid) / 100;
}

function inPath(program) {
  const folders = (process.env.PATH ?? '').split(path.delimiter);
  return folders.map((folder) => path.join(folder, program)).find((file) => fs.existsSync(file));
}

function wrong(why) {
  console.error(`login.mjs: ${why}`);
  process.exit(64);
}
