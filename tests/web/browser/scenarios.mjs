// SPDX-License-Identifier: Apache-2.0
// What people do with the page, in a real browser. SERVE is the program that serves
// it with made-up events; SHOTS, if set, is where screenshots go.

import {test, before, after, afterEach} from 'node:test';
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import http from 'node:http';
import {readFileSync, mkdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {chromium} from 'playwright';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const big = +(process.env.BIG || 20000);
let browser, main; // main: a server with a log-in that most scenarios share
const started = [];

async function serve(...args) {
  const child = spawn(process.env.SERVE, args, {stdio: ['ignore', 'pipe', 'inherit']});
  started.push(child);
  const url = await new Promise((done, fail) => {
    child.stdout.on('data', text => done(String(text).trim()));
    child.on('exit', status => fail(new Error('serve ended: ' + status)));
  });
  return {child, url: new URL(url), base: new URL(url).origin + '/', stop: () => new Promise(done => { child.removeAllListeners('exit'); child.on('exit', done); child.kill('SIGTERM'); })};
}

const wrong = []; // what no page may do
let contexts = [];

// visit opens a page that is watched: errors, refused content and requests to others fail the test.
async function visit(base, options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 800}, locale: 'en-GB', timezoneId: 'Europe/Berlin', colorScheme: 'light', ...options});
  contexts.push(context);
  const page = await context.newPage();
  const origin = new URL(base).origin;
  page.on('request', r => { if (new URL(r.url()).origin !== origin && !/^(data|blob):/.test(r.url())) wrong.push('request to ' + r.url()); });
  page.on('pageerror', e => wrong.push('page error: ' + e.message));
  page.on('console', m => { if (m.type() === 'error' && !options.forgive?.test(m.text() + ' ' + m.location().url)) wrong.push('console: ' + m.text() + ' ' + m.location().url); });
  await page.addInitScript(() => addEventListener('securitypolicyviolation', e => console.error('refused by the policy: ' + e.violatedDirective + ' ' + e.blockedURI)));
  return page;
}

async function login(page, base, user = 'ann') {
  await page.goto(base);
  await page.fill('[name=user]', user);
  await page.fill('[name=password]', user + '1234567');
  await page.click('button[type=submit]');
  await page.waitForSelector('.side nav');
}

async function enter(base, hash, options) {
  const page = await visit(base, options);
  await login(page, base);
  if (hash) await open(page, base, hash);
  return page;
}

async function open(page, base, hash) {
  await page.goto(base + hash);
  if (hash.startsWith('#/events')) await page.waitForSelector('.er.item, .list .empty');
}

const api = (page, path) => page.evaluate(async p => (await fetch(p)).json(), path);
const total = async page => +(await page.textContent('.bar .total')).replace(/\D/g, '');
const settled = (page, want) => page.waitForFunction(n => +document.querySelector('.bar .total')?.textContent.replace(/\D/g, '') === n, want);

function event(n, more) {
  return JSON.stringify({rule: 'Live rule', priority: 'Error', time: new Date().toISOString(), hostname: 'live-host', output: 'live number ' + n, output_fields: {n, 'proc.name': 'live'}, ...more});
}

async function post(base, body) {
  const res = await fetch(base + 'api/v2/events', {method: 'POST', headers: {Authorization: 'Bearer ingest-token-of-tests'}, body});
  assert.equal(res.status, 200, await res.text());
}

before(async () => {
  browser = await chromium.launch({executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage', '--enable-precise-memory-info']});
  main = await serve('-events', '3000', '-user', 'ann', '-outputs', '-sensors', '4');
});
after(async () => { await browser?.close(); started.forEach(c => c.kill('SIGKILL')); });
afterEach(async () => {
  for (const c of contexts) await c.close();
  contexts = [];
  assert.deepEqual(wrong.splice(0), []);
});

test('1 log in, log out, wrong passwords lock out', async () => {
  const own = await serve('-events', '10', '-user', 'ann');
  const page = await visit(own.base, {forgive: /401|429/});
  await login(page, own.base);
  await page.waitForSelector('.tile .v');
  const stored = await page.evaluate(() => JSON.stringify(localStorage) + JSON.stringify(sessionStorage) + document.cookie);
  assert.doesNotMatch(stored, /1234567|falco_session/);
  await page.click('[aria-label="Log out"]');
  await page.waitForSelector('[name=password]');
  for (let i = 0; i < 6; i++) {
    await page.fill('[name=user]', 'ann');
    await page.fill('[name=password]', 'wrong');
    const answer = page.waitForResponse(r => r.url().endsWith('/login'));
    await page.click('button[type=submit]');
    assert.equal((await answer).status(), i < 5 ? 401 : 429);
  }
  await page.waitForSelector('text=Too many wrong passwords');
  await own.stop();
});

// counted reads what the screen says: the sum below the chart, the counts beside the list.
const counted = page => page.evaluate(() => {
  const number = el => +el.textContent.replace(/\D/g, '');
  return {chart: [...document.querySelectorAll('.strip .legend .key b')].map(number).reduce((a, b) => a + b, 0),
    facets: Object.fromEntries([...document.querySelectorAll('.facets [data-facet]')].map(b => [b.dataset.facet, number(b.querySelector('.n'))]))};
});

test('2 each filter narrows the list, the chart and the counts, as the API says', async () => {
  const page = await enter(main.base, '#/events?since=30d&live=0');
  const all = await total(page);
  const check = async (query, name) => {
    await open(page, main.base, '#/events?live=0&' + query);
    const want = await api(page, `api/v2/facets?fields=priority,rule,host,source,ns,pod,image,tag&top=12&${query}`);
    await settled(page, want.total);
    assert.ok(want.total > 0 && want.total < all, `${name}: ${want.total} of ${all}`);
    await page.waitForFunction(n => [...document.querySelectorAll('.strip .legend .key b')].map(b => +b.textContent.replace(/\D/g, '')).reduce((a, b) => a + b, 0) === n, want.total);
    const seen = await counted(page);
    for (const [dim, list] of Object.entries(want.facets)) for (const c of list) assert.equal(seen.facets[`${dim}:${c.value}`], c.count, `${name}: ${dim} ${c.value}`);
    const rows = [];
    for (let cursor = ''; ;) {
      const got = await api(page, `api/v2/events?limit=1000&${query}${cursor && '&cursor=' + cursor}`);
      rows.push(...got.events.map(e => e.uuid));
      if (!(cursor = got.next)) break;
    }
    assert.equal(rows.length, want.total, name);
    assert.deepEqual(await page.$$eval('.er.item', (list, n) => list.slice(0, n).map(el => el.dataset.uuid), 8), rows.slice(0, 8), name);
  };
  for (const name of ['priority', 'rule', 'host', 'source', 'ns', 'pod', 'image', 'tag']) {
    if (name === 'source') continue; // there is but one
    await open(page, main.base, '#/events?since=30d&live=0');
    await settled(page, all);
    const value = page.locator(`.facets [data-facet^="${name}:"]`).nth(1);
    await value.evaluate(el => { el.closest('details').open = true; });
    const facet = (await value.getAttribute('data-facet')).slice(name.length + 1);
    await value.click();
    await page.waitForSelector('.bar .chip.on');
    await check(`since=30d&${name}=${encodeURIComponent(facet)}`, name);
    await check(`since=30d&not.${name}=${encodeURIComponent(facet)}`, 'not ' + name);
  }
  const now = Date.now();
  for (const query of ['since=30d&min_priority=Critical', 'since=30d&q=shadow', 'since=30d&q=' + encodeURIComponent('host:(node-1 OR node-2) -cat'), 'since=30d&field.proc.name=bash',
    `from=${now - 4 * 864e5}&to=${now - 864e5}`, 'since=30d&rule=Terminal+shell+in+container&host=node-1&host=node-2&not.ns=prod']) await check(query, query);
});

test('3 a reload restores what was shown', async () => {
  const page = await enter(main.base, '#/events?since=30d&live=0&priority=Critical&q=memfd&dense=compact&grouped=1');
  const before = [await total(page), page.url(), await page.inputValue('[name=q]')];
  await page.locator('.er.item').first().click();
  await page.waitForSelector('.drawer h1');
  const title = await page.textContent('.drawer h1');
  await page.reload();
  await page.waitForSelector('.drawer h1');
  await settled(page, before[0]);
  assert.equal(await page.textContent('.drawer h1'), title);
  assert.equal(await page.inputValue('[name=q]'), 'memfd');
  assert.equal(await page.getAttribute('.seg button:has-text("compact")', 'aria-pressed'), 'true');
  assert.ok(before[0] > 0);
});

test('4 dragging over the chart chooses a time', async () => {
  const page = await enter(main.base, '#/overview?since=7d');
  await page.waitForResponse(r => r.url().includes('histogram') && r.ok());
  await page.waitForTimeout(800);
  const box = await page.locator('.u-over').boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 60);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.75, box.y + 60, {steps: 6});
  await page.mouse.up();
  await page.waitForFunction(() => location.hash.includes('from='));
  const p = new URLSearchParams(new URL(page.url()).hash.split('?')[1]);
  const days = (p.get('to') - p.get('from')) / 864e5;
  assert.ok(days > 1.4 && days < 2.1, 'days ' + days);
});

test('5 an event that is posted shows without a reload; pause and resume', async () => {
  const page = await enter(main.base, '#/events?since=1h');
  await page.waitForSelector('.btn.live.on');
  let asked = 0;
  page.on('request', r => { if (r.url().includes('/api/v2/events')) asked++; });
  await page.waitForTimeout(1500);
  assert.equal(asked, 0, 'the list is read again though nothing has come');
  const begun = Date.now();
  await post(main.base, event(1));
  await page.waitForSelector('.er.item:has-text("live number 1")');
  console.log(`# an event was on the page ${Date.now() - begun} ms after it was posted`);
  await page.keyboard.press('l');
  await page.waitForSelector('.btn.live:has-text("Paused")');
  await post(main.base, event(2));
  await page.waitForTimeout(700);
  assert.equal(await page.locator('.er.item:has-text("live number 2")').count(), 0);
  await page.keyboard.press('l');
  await page.waitForSelector('.er.item:has-text("live number 2")');
  await page.locator('.list').evaluate(el => { el.scrollTop = 600; });
  await page.waitForTimeout(200);
  await post(main.base, event(3));
  await page.waitForSelector('.pill:not([hidden])');
  await page.click('.pill');
  await page.waitForSelector('.er.item:has-text("live number 3")');
});

test('6 the server restarts: the page comes back, no row twice', async () => {
  const dir = process.env.WORK;
  let own = await serve('-events', '50', '-user', 'ann', '-database', dir + '/restart.db', '-days', '0.01');
  const port = own.url.port;
  const page = await visit(own.base, {forgive: /ERR_|api\//});
  await login(page, own.base);
  await open(page, own.base, '#/events?since=24h');
  await page.waitForSelector('.btn.live.on');
  await post(own.base, event(1));
  await page.waitForSelector('.er.item:has-text("live number 1")');
  await own.stop();
  await page.waitForSelector('.btn.live.lost');
  own = await serve('-events', '0', '-user', 'ann', '-database', dir + '/restart.db', '-addr', '127.0.0.1:' + port);
  await post(own.base, event(2));
  await page.waitForSelector('.er.item:has-text("live number 2")', {timeout: 20000});
  const ids = await page.$$eval('.er.item', list => list.map(x => x.dataset.id));
  assert.equal(new Set(ids).size, ids.length);
  await own.stop();
});

test('7 what is exported is what the API lists', async () => {
  const page = await enter(main.base, '#/events?since=30d&live=0&priority=Error');
  await page.click('[aria-label="Export"]');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('.pop a:has-text("NDJSON")')]);
  const lines = readFileSync(await download.path(), 'utf8').trim().split('\n').map(x => JSON.parse(x).uuid);
  const listed = [];
  for (let cursor = ''; ;) {
    const got = await api(page, 'api/v2/events?since=30d&priority=Error&limit=100' + (cursor && '&cursor=' + cursor));
    listed.push(...got.events.map(e => e.uuid));
    if (!(cursor = got.next)) break;
  }
  assert.ok(listed.length > 50);
  assert.deepEqual(lines, listed);
});

test('8 below a path of a proxy, stripped or not', async () => {
  for (const strip of [true, false]) {
    const own = await serve('-events', '100', '-user', 'ann', '-base', '/falco/');
    const proxy = http.createServer((req, res) => {
      if (!req.url.startsWith('/falco/')) { res.writeHead(404).end(); return; }
      const path = strip ? req.url.slice('/falco'.length) : req.url;
      const up = http.request({host: '127.0.0.1', port: own.url.port, path, method: req.method, headers: req.headers}, r => { res.writeHead(r.statusCode, r.headers); r.pipe(res); });
      up.on('error', () => res.destroy());
      res.on('close', () => up.destroy());
      req.pipe(up);
    });
    await new Promise(done => proxy.listen(0, '127.0.0.1', done));
    const base = `http://127.0.0.1:${proxy.address().port}/falco/`;
    const page = await enter(base, '#/events?since=30d');
    await page.waitForSelector('.btn.live.on');
    await page.locator('.er.item').first().click();
    await page.waitForSelector('.drawer h1');
    proxy.closeAllConnections();
    proxy.close();
    await page.context().close();
    wrong.splice(0); // the proxy has gone from under the page
    await own.stop();
  }
});

const screens = {overview: '#/overview?since=24h', events: '#/events?since=24h', rules: '#/rules', outputs: '#/outputs', sensors: '#/sensors', settings: '#/settings'};

test('9 light and dark: pictures, contrast, and what axe finds', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const page = await enter(main.base, '', {colorScheme, bypassCSP: true});
    for (const [name, hash] of Object.entries({...screens, drawer: '#/events?since=24h'})) {
      await open(page, main.base, hash);
      await page.waitForTimeout(900);
      if (name === 'drawer') { await page.locator('.er.item').nth(1).click(); await page.waitForSelector('.drawer h1'); }
      await page.waitForTimeout(300);
      await page.evaluate(axe);
      const found = await page.evaluate(() => window.axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'best-practice']}));
      const serious = found.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => `${name} ${colorScheme}: ${v.id}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')}`);
      assert.deepEqual(serious, []);
      if (process.env.SHOTS) {
        mkdirSync(process.env.SHOTS, {recursive: true});
        await page.screenshot({path: `${process.env.SHOTS}/${name}-${colorScheme}.png`});
      }
    }
  }
});

test('10 every screen in both languages: no error, nothing refused, no request to others', async () => {
  for (const locale of ['en-GB', 'zh-CN']) {
    const page = await enter(main.base, '', {locale});
    assert.equal(await page.getAttribute('html', 'lang'), locale.slice(0, 2));
    for (const hash of Object.values(screens)) {
      await open(page, main.base, hash);
      await page.waitForTimeout(400);
    }
    if (locale === 'zh-CN') assert.match(await page.textContent('.side nav'), /总览事件规则/);
  }
});

test(`11 ${big} events: scrolling keeps up, memory stays small`, async () => {
  const own = await serve('-events', String(big), '-user', 'ann', '-days', '20');
  const page = await enter(own.base, '#/events?since=30d&live=0&dense=compact');
  const frames = await page.evaluate(async () => {
    const list = document.querySelector('.list');
    let frames = 0;
    const begun = performance.now();
    while (performance.now() - begun < 4000) {
      list.scrollTop += 60;
      await new Promise(requestAnimationFrame);
      frames++;
    }
    return frames / 4;
  });
  for (let i = 0; i < 60; i++) { await page.locator('.list').evaluate(el => { el.scrollTop = el.scrollHeight; }); await page.waitForTimeout(60); }
  const rows = await page.locator('.er.item').count();
  const heap = await page.evaluate(() => performance.memory.usedJSHeapSize / 2 ** 20);
  console.log(`# ${frames.toFixed(0)} frames a second while scrolling, ${heap.toFixed(0)} MiB of heap, ${rows} rows drawn`);
  assert.ok(rows < 120, 'rows ' + rows);
  assert.ok(heap < 150, 'heap ' + heap);
  assert.ok(frames > 5, 'frames ' + frames);
  await own.stop();
});

test('12 hostile texts stay texts', async () => {
  const own = await serve('-events', '5', '-user', 'ann', '-hostile', '-outputs');
  const page = await enter(own.base, '#/events?since=30d&live=0');
  let dialogs = 0;
  page.on('dialog', d => { dialogs++; d.dismiss(); });
  for (const hash of [...Object.values(screens), '#/events?since=30d&cols=time,output,hostname,proc.name,ns,pod,image,tags&dense=wrap']) {
    await open(page, own.base, hash);
    await page.waitForTimeout(500);
  }
  const n = await page.locator('.er.item').count();
  assert.ok(n >= 15);
  for (let i = 0; i < 15; i++) {
    await page.locator('.er.item').nth(i).click({position: {x: 60, y: 10}});
    await page.waitForSelector('.drawer h1');
    await page.waitForTimeout(60);
  }
  await page.fill('[name=q]', '<img src=x onerror="window.pwned=1"> "');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.find .error');
  assert.equal(await page.evaluate(() => window.pwned), undefined);
  assert.equal(dialogs, 0);
  assert.equal(await page.locator('main script, main iframe, main img, .drawer script, .drawer img').count(), 0);
  wrong.splice(0, wrong.length, ...wrong.filter(w => !/400 \(Bad Request\)/.test(w)));
  await own.stop();
});

test('13 360 by 800', async () => {
  const page = await enter(main.base, '', {viewport: {width: 360, height: 800}, isMobile: true, hasTouch: true});
  for (const [name, hash] of Object.entries(screens)) {
    await open(page, main.base, hash);
    await page.waitForTimeout(500);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `${name}: ${wide} pixels wide`);
    if (process.env.SHOTS) await page.screenshot({path: `${process.env.SHOTS}/${name}-small.png`});
  }
  await open(page, main.base, '#/events?since=24h');
  await page.locator('.er.item').first().tap();
  await page.waitForSelector('.drawer h1');
  await page.locator('.drawer [aria-label="Close"]').tap();
  await page.waitForSelector('.drawer', {state: 'hidden'});
  await page.locator('.filters').tap();
  await page.waitForSelector('.facets .fv');
});

test('14 with the keyboard alone', async () => {
  const page = await visit(main.base);
  await page.goto(main.base);
  await page.waitForSelector('[name=user]');
  await page.keyboard.type('ann');
  await page.keyboard.press('Tab');
  await page.keyboard.type('ann1234567');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.tile .v');
  await page.keyboard.press('g');
  await page.keyboard.press('e');
  await page.waitForSelector('.er.item');
  await page.keyboard.press('/');
  await page.keyboard.type('rule:Terminal*');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.hash.includes('q=rule'));
  await page.waitForFunction(() => [...document.querySelectorAll('.er.item b')].length > 0 && [...document.querySelectorAll('.er.item .what > b')].every(b => b.textContent.startsWith('Terminal')));
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await page.waitForSelector('.drawer h1');
  const first = await page.textContent('.drawer .said');
  await page.keyboard.press('j');
  await page.waitForFunction(old => document.querySelector('.drawer .said').textContent !== old, first);
  await page.keyboard.press('Escape');
  await page.waitForSelector('.drawer', {state: 'hidden'});
  await page.keyboard.press('x');
  await page.waitForSelector('.bar b:has-text("1 chosen")');
  await page.keyboard.press('a');
  await page.waitForSelector('.toast:has-text("acknowledged")');
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  await page.keyboard.press('Escape');
  await page.waitForSelector('dialog', {state: 'detached'});
});

test('15 how often it is read again: live, now and then, not at all', async () => {
  const page = await enter(main.base, '#/events?since=1h&refresh=off');
  await page.waitForSelector('.btn.live:has-text("Paused")');
  const before = await total(page);
  await post(main.base, event(151));
  await page.waitForTimeout(1200);
  assert.equal(await total(page), before);
  await page.keyboard.press('r');
  await page.waitForSelector('.er.item:has-text("live number 151")');
  await page.click('.btn.often');
  await page.click('.pop button:has-text("10 s")');
  await page.waitForFunction(() => location.hash.includes('refresh=10s'));
  await page.waitForSelector('.btn.live:has-text("Every 10 s")');
  await post(main.base, event(152));
  await page.waitForSelector('.er.item:has-text("live number 152")');
  await page.click('.side nav a[title="Rules"]');
  await page.waitForFunction(() => location.hash.startsWith('#/rules') && location.hash.includes('refresh=10s'));
  await page.reload();
  await page.waitForSelector('.btn.often:has-text("10 s")');
  let asked = 0;
  page.on('request', r => { if (r.url().includes('/api/v2/rules')) asked++; });
  await page.waitForResponse(r => r.url().includes('/api/v2/rules'));
  await page.click('.btn.often');
  await page.click('.pop button:has-text("Off")');
  await page.waitForFunction(() => location.hash.includes('refresh=off'));
  await page.waitForTimeout(500);
  asked = 0;
  await page.waitForTimeout(11000);
  assert.equal(asked, 0);
  await page.click('.btn.often');
  await page.click('.pop button:has-text("Live")');
  await page.waitForFunction(() => !location.hash.includes('refresh='));
});

test('16 daemons tell of themselves: rates, losses, rings, and what each rule costs', async () => {
  const page = await enter(main.base, '#/sensors');
  await page.waitForSelector('.sensor');
  const sensors = (await api(page, 'api/v2/sensors')).items;
  assert.equal(sensors.length, 4);
  assert.deepEqual(await page.$$eval('.sensor h2', list => list.map(x => x.textContent)), sensors.map(s => s.host));
  assert.equal(await page.locator('.sensor').nth(0).locator('[role=img]').count(), sensors[0].rings.length);
  const bad = page.locator('.sensor', {has: page.locator('h2', {hasText: sensors.find(s => s.lost > 0).host})});
  assert.match(await bad.textContent(), /openat_x/);
  await open(page, main.base, '#/rules');
  await page.waitForSelector('.cost');
  const rules = (await api(page, 'api/v2/rules')).items.filter(r => r.cost_share).sort((a, b) => b.cost_share - a.cost_share);
  assert.ok(Math.abs(rules.reduce((a, r) => a + r.cost_share, 0) - 1) < 1e-6);
  await page.click('th button:has-text("Cost")');
  const rows = await page.$$eval('tbody tr', list => list.map(r => [r.cells[0].textContent, r.querySelector('.cost .share')?.textContent]));
  assert.equal(rows[0][0], rules[0].name);
  assert.ok(rows[0][1].endsWith('%'));
  assert.ok(rules.some(r => !r.count), 'no rule is silent');
});

test('17 two replicas over PostgreSQL: what comes to one is on the live page of the other', {skip: !process.env.PG && 'no PostgreSQL'}, async () => {
  const a = await serve('-events', '40', '-user', 'ann', '-database', process.env.PG), b = await serve('-events', '0', '-user', 'ann', '-database', process.env.PG);
  const page = await enter(b.base, '#/events?since=1h');
  await page.waitForSelector('.btn.live.on');
  const took = [];
  for (let i = 0; i < 5; i++) {
    const begun = Date.now();
    await post(a.base, event(1700 + i));
    await page.waitForSelector(`.er.item:has-text("live number ${1700 + i}")`);
    took.push(Date.now() - begun);
  }
  console.log(`# posted to one replica, on the page of the other after ${took.join(', ')} ms`);
  const ids = await page.$$eval('.er.item', list => list.map(x => x.dataset.id));
  assert.equal(new Set(ids).size, ids.length);
  await Promise.all([a.stop(), b.stop()]);
});
