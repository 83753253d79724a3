// SPDX-License-Identifier: Apache-2.0
// Pictures of all screens, light and dark, and on a telephone in Chinese, to the folder SHOTS.

import {test, before, after, afterEach} from 'node:test';
import {serve, launch, finish, leave, enter, open, screens} from './helpers.mjs';

let main;

before(async () => {
  await launch();
  main = await serve('-events', '6000', '-user', 'ann', '-outputs', '-sensors', '4');
  await new Promise(done => setTimeout(done, 75_000)); // sensors have something to show over time
});
after(finish);
afterEach(leave);

async function take(suffix, options, names) {
  const page = await enter(main.base, '', options);
  for (const name of names) {
    await open(page, main.base, screens[name] || screens.events);
    if (name === 'drawer') {
      await page.locator('.er.item:has-text("Terminal shell")').first().click();
      await page.waitForSelector('.drawer .near, .drawer pre');
    }
    await page.mouse.move(0, 0);
    await page.waitForTimeout(700);
    await page.screenshot({path: `${process.env.SHOTS}/${name}-${suffix}.png`});
  }
}

for (const colorScheme of ['light', 'dark']) test(colorScheme, () => take(colorScheme, {colorScheme}, [...Object.keys(screens), 'drawer']));
test('small', () => take('small', {locale: 'zh-CN', viewport: {width: 360, height: 800}, isMobile: true, hasTouch: true}, [...Object.keys(screens), 'drawer']));
