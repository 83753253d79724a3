// SPDX-License-Identifier: Apache-2.0
// What people do with the page, in a real browser.

import {test, before, after, afterEach} from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {serve, launch, finish, visit, forgive, leave, login, enter, open, screens, api, whole, total, settled, event, post, live} from './helpers.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const big = +(process.env.BIG || 20000);
let main; // a server with a log-in that most scenarios share

before(async () => {
  await launch();
  main = await serve('-events', '3000', '-user', 'ann', '-outputs', '-sensors', '4');
});
after(finish);
afterEach(leave);

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
  const own = await serve('-events', '900', '-user', 'ann');
  const page = await enter(own.base, '#/events?since=30d&live=0');
  const all = await total(page);
  const check = async (query, name) => {
    await open(page, own.base, '#/events?live=0&' + query);
    const want = await whole(page, `api/v2/facets?fields=priority,rule,host,source,ns,pod,image,tag&top=12&${query}`);
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
    await open(page, own.base, '#/events?since=30d&live=0');
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
  await own.stop();
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
  await page.waitForSelector('.u-over');
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
  console.log(`# events were on the page ${await live(page, main.base, 501)} ms after they were posted`);
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
  await own.end();
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
    await own.stop();
    proxy.closeAllConnections();
    proxy.close();
  }
});

// accessible is what axe finds nothing serious in.
async function accessible(page, name) {
  await page.waitForTimeout(300); // what fades in has its colours then
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}));
  assert.ok(found.passes.length > 10, name + ': axe has looked at nothing');
  assert.deepEqual(found.violations.filter(v => ['serious', 'critical'].includes(v.impact)).map(v => `${name}: ${v.id}: ${v.nodes.slice(0, 3).map(n => n.html.slice(0, 160)).join(' | ')}`), []);
}

test('9 light and dark: contrast, and what axe finds', async () => {
  const empty = await serve('-events', '0', '-user', 'ann');
  for (const colorScheme of ['light', 'dark']) {
    const options = {colorScheme, bypassCSP: true};
    const out = await visit(main.base, options);
    await out.goto(main.base);
    await out.waitForSelector('[name=password]');
    await accessible(out, 'log-in ' + colorScheme);
    await accessible(await enter(empty.base, '#/overview?since=24h', options), 'empty ' + colorScheme);
    const page = await enter(main.base, '', options);
    for (const [name, hash] of Object.entries(screens)) {
      await open(page, main.base, hash);
      await accessible(page, name + ' ' + colorScheme);
    }
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await accessible(page, 'keys ' + colorScheme);
    await page.keyboard.press('Escape');
    await open(page, main.base, screens.events);
    await page.locator('.er.item').nth(1).click();
    await page.waitForSelector('.drawer h1');
    await accessible(page, 'drawer ' + colorScheme);
    const small = await enter(main.base, '', {...options, viewport: {width: 360, height: 800}, isMobile: true, hasTouch: true});
    for (const name of ['overview', 'events', 'rules']) {
      await open(small, main.base, screens[name]);
      await accessible(small, `small ${name} ${colorScheme}`);
    }
  }
  await empty.stop();
});

test('10 every screen in both languages: no error, nothing refused, no request to others', async () => {
  for (const locale of ['en-GB', 'zh-CN']) {
    const page = await enter(main.base, '', {locale});
    assert.equal(await page.getAttribute('html', 'lang'), locale.slice(0, 2));
    for (const hash of Object.values(screens)) {
      await open(page, main.base, hash);
      await page.waitForTimeout(200);
    }
    if (locale === 'zh-CN') assert.match(await page.textContent('.side nav'), /总览事件规则/);
  }
});

test(`11 ${big} events: scrolling keeps up, memory stays small`, async () => {
  const own = await serve('-events', String(big), '-user', 'ann', '-days', '20');
  const page = await enter(own.base, '#/events?since=30d&live=0&dense=compact');
  const frames = () => page.evaluate(async () => {
    const list = document.querySelector('.plain') || document.querySelector('.list');
    let n = 0;
    const begun = performance.now();
    while (performance.now() - begun < 4000) {
      list.scrollTop += 60;
      await new Promise(requestAnimationFrame);
      n++;
    }
    return n / 4;
  });
  const ours = await frames();
  for (let i = 0; i < 60; i++) { await page.locator('.list').evaluate(el => { el.scrollTop = el.scrollHeight; }); await page.waitForTimeout(60); }
  const rows = await page.locator('.er.item').count();
  const heap = await page.evaluate(() => performance.memory.usedJSHeapSize / 2 ** 20);
  await page.evaluate(() => { // what this machine can do: a list of as many lines of text, and no script
    const plain = document.createElement('pre'), list = document.querySelector('.list');
    plain.className = 'plain';
    Object.assign(plain.style, {position: 'fixed', inset: 0, zIndex: 99, overflow: 'auto', background: '#fff', margin: 0});
    plain.textContent = Array.from({length: 2000}, (_, i) => i + ' ' + list.innerText.slice(0, 160).replace(/\n/g, ' ')).join('\n');
    document.body.append(plain);
  });
  const plain = await frames();
  console.log(`# ${ours.toFixed(0)} frames a second while scrolling (plain text: ${plain.toFixed(0)}), ${heap.toFixed(0)} MiB of heap, ${rows} rows drawn`);
  assert.ok(rows < 120, 'rows ' + rows);
  assert.ok(heap < 150, 'heap ' + heap);
  assert.ok(ours > 30 || ours > plain / 3, `${ours} frames a second, plain text ${plain}`);
  await own.stop();
});

test('12 hostile texts stay texts', async () => {
  const own = await serve('-events', '5', '-user', 'ann', '-hostile', '-outputs');
  const page = await enter(own.base, '#/events?since=30d&live=0');
  let dialogs = 0;
  page.on('dialog', d => { dialogs++; d.dismiss(); });
  for (const hash of [...Object.values(screens), '#/events?since=30d&cols=time,output,hostname,proc.name,ns,pod,image,tags&dense=wrap']) {
    await open(page, own.base, hash);
    await page.waitForTimeout(200);
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
  forgive(/400 \(Bad Request\)/);
  await own.stop();
});

test('13 360 by 800', async () => {
  const page = await enter(main.base, '', {viewport: {width: 360, height: 800}, isMobile: true, hasTouch: true});
  for (const [name, hash] of Object.entries(screens)) {
    await open(page, main.base, hash);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `${name}: ${wide} pixels wide`);
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
