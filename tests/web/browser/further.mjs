// SPDX-License-Identifier: Apache-2.0
// What else the page does, in a real browser. PG, if set, is a database of PostgreSQL.

import {test, before, after, afterEach} from 'node:test';
import assert from 'node:assert/strict';
import {serve, launch, finish, leave, enter, open, api, total, event, post, live} from './helpers.mjs';

let main;

before(async () => {
  await launch();
  main = await serve('-events', '500', '-user', 'ann', '-outputs', '-sensors', '4');
});
after(finish);
afterEach(leave);

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
  console.log(`# posted to one replica, on the page of the other after ${await live(page, a.base, 1700)} ms`);
  const ids = await page.$$eval('.er.item', list => list.map(x => x.dataset.id));
  assert.equal(new Set(ids).size, ids.length);
  await a.stop(); // which closes the page of b, too
  await b.stop();
});

test('18 an answer that took too long says that it is partial', async () => {
  const page = await enter(main.base, '');
  const cut = async (path, more) => {
    await page.unrouteAll();
    await page.route(url => url.pathname === '/api/v2/' + path, async route => {
      const res = await route.fetch();
      await route.fulfill({response: res, json: {...await res.json(), partial: true, ...more}});
    });
  };
  const since = '2026-01-02T03:04:05Z', says = '.state.bad:has-text("partial · since")';
  for (const path of ['events', 'facets', 'histogram']) {
    await cut(path, {since});
    await open(page, main.base, '#/events?live=0&q=' + path);
    await page.waitForSelector('.bar ' + says);
  }
  await cut('events', {since, events: [], total: 0});
  await open(page, main.base, '#/events?live=0&since=30d');
  await page.waitForSelector('.empty:has-text("Nothing was found in five seconds")');
  for (const [path, more] of [['histogram', {since}], ['facets', {since}], ['top', {}]]) {
    await cut(path, more);
    await open(page, main.base, '#/overview?since=7d&q=-' + path);
    await page.waitForSelector('main header .state.bad:has-text("partial")');
  }
  await cut('rules', {});
  await open(page, main.base, '#/rules');
  await page.waitForSelector('main .state.bad:has-text("partial")');
});
