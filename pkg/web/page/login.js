// SPDX-License-Identifier: Apache-2.0
// Who are you? And: the first user is made.

import {h, put, icon} from './dom.js';
import {ask, me} from './api.js';
import {t} from './i18n.js';

function frame(app, ...kids) {
  put(app, h('main', {class: 'center', id: 'main'}, h('div', {class: 'card login'},
    h('div', {class: 'row'}, h('img', {src: new URL('icon.svg', import.meta.url).pathname, alt: '', width: 32, height: 32}), h('h1', {}, 'Falco')), ...kids)));
}

function field(label, props) {
  const input = h('input', {required: true, ...props});
  return [input, h('label', {class: 'field'}, h('span', {}, label), input)];
}

export function login(app, done, trouble) {
  const [user, userField] = field(t('User'), {name: 'user', autocomplete: 'username', autocapitalize: 'none'});
  const [password, passwordField] = field(t('Password'), {name: 'password', type: 'password', autocomplete: 'current-password'});
  const said = h('div', {class: 'state bad', role: 'alert', hidden: true});
  const say = text => { said.textContent = text; said.hidden = !text; };
  const submit = async e => {
    e.preventDefault();
    say('');
    try {
      await ask('POST', 'api/v2/login', {body: {user: user.value, password: password.value}});
      done();
    } catch (err) {
      password.value = '';
      password.focus();
      say(t({credentials: 'The name or the password is wrong.', lockout: 'Too many wrong passwords: wait a minute.'}[err.body?.code] || err.message));
    }
  };
  frame(app,
    h('p', {class: 'dim'}, t('Log in to see what Falco has seen.')),
    trouble === 'oidc' && h('div', {class: 'state bad', role: 'alert'}, t('The identity provider did not let you in.')),
    me.oidc_login && h('a', {class: 'btn primary', href: 'api/v2/oidc/login'}, icon('user'), t('Log in with single sign-on')),
    me.password_login && h('form', {onsubmit: submit}, userField, passwordField, said, h('button', {class: 'btn' + (me.oidc_login ? '' : ' primary'), type: 'submit'}, t('Log in'))));
  (me.password_login ? user : app.querySelector('a'))?.focus();
}

export function setup(app, code, done) {
  const [user, userField] = field(t('User'), {name: 'user', autocomplete: 'username', value: 'admin'});
  const [password, passwordField] = field(t('Password (8 letters or more)'), {name: 'password', type: 'password', minlength: 8, autocomplete: 'new-password'});
  const said = h('div', {class: 'state bad', role: 'alert', hidden: true});
  frame(app, h('p', {class: 'dim'}, t('Make the first user. From then on one logs in, and the page may be reached from other machines.')),
    h('form', {onsubmit: async e => {
      e.preventDefault();
      try {
        await ask('POST', 'api/v2/setup', {body: {code, user: user.value, password: password.value}});
        done();
      } catch (err) { said.textContent = t(err.message); said.hidden = false; }
    }}, userField, passwordField, said, h('button', {class: 'btn primary', type: 'submit'}, t('Make the user'))));
  password.focus();
}
