// SPDX-License-Identifier: Apache-2.0
// A browser and the servers that it visits. SERVE is the program that serves the page
// with made-up events, CHROMIUM the browser.

import {spawn} from 'node:child_process';
import assert from 'node:assert/strict';
import {chromium} from 'playwright';

const patience = 120_000; // of all that is waited for: the machine may be busy
let browser;
const started = [];

export async function serve(...args) {
  const child = spawn(process.env.SERVE, args, {stdio: ['ignore', 'pipe', 'inherit']});
  started.push(child);
  const url = await new Promise((done, fail) => {
    child.stdout.on('data', text => done(String(text).trim()));
    child.on('exit', status => fail(new Error('serve ended: ' + status)));
  });
  const end = () => new Promise(done => { child.removeAllListeners('exit'); child.on('exit', done); child.kill('SIGTERM'); }); // and let its visitors see
  return {url: new URL(url), base: new URL(url).origin + '/', end, stop: async () => { await leave(); await end(); }};
}

export async function launch() {
  browser = await chromium.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', timeout: patience, args: ['--no-sandbox', '--disable-dev-shm-usage', '--enable-precise-memory-info']});
}

export async function finish() {
  await browser?.close();
  started.forEach(c => c.kill('SIGKILL'));
}

let wrong = []; // what no page may do
let contexts = [];

// visit opens a page that is watched: errors, refused content and requests to others fail the test.
export async function visit(base, options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 800}, locale: 'en-GB', timezoneId: 'Europe/Berlin', colorScheme: 'light', ...options});
  context.setDefaultTimeout(patience);
  contexts.push(context);
  const page = await context.newPage();
  const origin = new URL(base).origin;
  page.on('request', r => { if (new URL(r.url()).origin !== origin && !/^(data|blob):/.test(r.url())) wrong.push('request to ' + r.url()); });
  page.on('websocket', w => wrong.push('web socket to ' + w.url()));
  page.on('pageerror', e => wrong.push('page error: ' + e.message));
  page.on('console', m => { if (m.type() === 'error' && !options.forgive?.test(m.text() + ' ' + m.location().url)) wrong.push('console: ' + m.text() + ' ' + m.location().url); });
  await page.addInitScript(() => addEventListener('securitypolicyviolation', e => console.error('refused by the policy: ' + e.violatedDirective + ' ' + e.blockedURI)));
  return page;
}

// forgive forgets what has gone wrong and was to.
export const forgive = pattern => { wrong = wrong.filter(w => !pattern.test(w)); };

// leave closes all pages. They have done nothing that no page may.
export async function leave() {
  const list = contexts;
  contexts = [];
  for (const c of list) await c.close();
  const all = wrong;
  wrong = [];
  assert.deepEqual(all, []);
}

export async function login(page, base, user = 'ann') {
  await page.goto(base);
  await page.fill('[name=user]', user);
  await page.fill('[name=password]', user + '1234567');
  await page.click('button[type=submit]');
  await page.waitForSelector('.side nav');
}

export async function enter(base, hash, options) {
  const page = await visit(base, options);
  await login(page, base);
  if (hash) await open(page, base, hash);
  return page;
}

export const screens = {overview: '#/overview?since=24h', events: '#/events?since=24h', rules: '#/rules', outputs: '#/outputs', sensors: '#/sensors', settings: '#/settings'};

// shown is what a screen has when it has read what it shows.
const shown = {overview: '.legend .key, main .empty', events: '.er.item, .list .empty', rules: 'main tbody tr, main .empty', outputs: 'main tbody tr, main .empty', sensors: '.sensor, main .empty', settings: '.pairs dd'};

export async function open(page, base, hash) {
  await page.goto(base + hash);
  const name = /^#.(\w+)/.exec(hash)[1];
  await page.waitForSelector(shown[name].split(', ').map(s => `body:has(nav a[aria-current="page"][href^="#/${name}"]) ${s}`).join(', '));
}

export const api = (page, path) => page.evaluate(async p => (await fetch(p)).json(), path);
export const total = async page => +(await page.textContent('.bar .total')).replace(/\D/g, '');

// settled waits until the screen counts so many events. Where the machine was too busy for all of the answer, the page
// says that it is partial, and one asks again.
export async function settled(page, want) {
  for (const end = Date.now() + patience; ;) {
    await page.waitForFunction(n => document.querySelector('.bar .state.bad') || +document.querySelector('.bar .total')?.textContent.replace(/\D/g, '') === n, want);
    if (!await page.locator('.bar .state.bad').count() && await total(page) === want) return;
    assert.ok(Date.now() < end, `${page.url()}: ${await page.textContent('.bar')}, not ${want} events`);
    await page.keyboard.press('r');
    await page.waitForTimeout(2000);
  }
}

// whole asks until the answer is not partial.
export async function whole(page, path) {
  for (let i = 0; ; i++) {
    const got = await api(page, path);
    if (!got.partial || i > 20) return got;
  }
}

export function event(n, more) {
  return JSON.stringify({rule: 'Live rule', priority: 'Error', time: new Date().toISOString(), hostname: 'live-host', output: 'live number ' + n, output_fields: {n, 'proc.name': 'live'}, ...more});
}

export async function post(base, body) {
  const res = await fetch(base + 'api/v2/events', {method: 'POST', headers: {Authorization: 'Bearer ingest-token-of-tests'}, body});
  assert.equal(res.status, 200, await res.text());
}

const median = list => list.toSorted((a, b) => a - b)[list.length >> 1];

// live posts events one after the other and returns how long each took to the page, in milliseconds. Most are there
// within a second; or, where the machine is that busy, in the time of four simple requests.
export async function live(page, base, from, n = 5) {
  const took = [], simple = [];
  for (let i = from; i < from + n; i++) {
    let begun = Date.now();
    await api(page, 'api/v2/events?limit=1');
    await page.waitForSelector('.side nav');
    simple.push(Date.now() - begun);
    begun = Date.now();
    await post(base, event(i));
    await page.waitForSelector(`.er.item:has-text("live number ${i}")`);
    took.push(Date.now() - begun);
  }
  assert.ok(median(took) < Math.max(1000, 4 * median(simple)), `milliseconds: ${took}; simple requests: ${simple}`);
  return took.join(', ');
}
