// SPDX-License-Identifier: Apache-2.0
// Everything that is asked of the server. All paths are relative to <base>.

export const me = {user: '', role: 'none', may: [], csrf: ''};

export class ApiError extends Error {
  constructor(status, body) {
    super(body.error || 'HTTP ' + status);
    this.status = status;
    this.body = body;
  }
}

// Numbers that JavaScript would round stay the text that they were.
function exact(key, value, context) {
  if (typeof value === 'number' && !Number.isSafeInteger(value) && context && /^-?\d+$/.test(context.source)) return context.source;
  return value;
}

export async function ask(method, path, {query, body, signal} = {}) {
  const url = path + (query && String(query) ? '?' + query : '');
  const headers = {};
  if (method !== 'GET') headers['X-CSRF-Token'] = me.csrf;
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const res = await fetch(url, {method, headers, signal, credentials: 'same-origin', body: body === undefined ? undefined : JSON.stringify(body)});
  const text = await res.text();
  let value = {};
  try { value = JSON.parse(text, exact); } catch { value = {error: text.slice(0, 200)}; }
  if (!res.ok) {
    if (res.status === 401 && value.code === 'login' && method === 'GET') dispatchEvent(new CustomEvent('falco:login'));
    throw new ApiError(res.status, value);
  }
  return value;
}

export const get = (path, query, signal) => ask('GET', 'api/v2/' + path, {query, signal});

export async function loadMe() {
  Object.assign(me, await get('me'));
  return me;
}

export const may = what => me.may.includes(what);

// Live follows events. After two failures it polls, as some proxies let no stream through.
export class Live {
  constructor(query, on, after) {
    this.query = query;
    this.on = on;
    this.last = after;
    this.failures = 0;
    this.open();
  }

  open() {
    if (this.closed) return;
    const query = new URLSearchParams(this.query);
    if (this.last) query.set('after', this.last);
    this.source = new EventSource('api/v2/stream?' + query);
    const take = kind => e => {
      if (e.lastEventId) this.last = Math.max(this.last, +e.lastEventId);
      this.on(kind, JSON.parse(e.data, exact));
    };
    for (const kind of ['falco', 'gap', 'skipped', 'stats']) this.source.addEventListener(kind, take(kind));
    this.source.addEventListener('hello', e => {
      this.failures = 0;
      this.last = Math.max(this.last, +e.lastEventId);
      this.on('up', {});
    });
    this.source.onerror = () => {
      this.on('down', {});
      this.source.close();
      this.failures++;
      this.timer = setTimeout(() => this.failures > 2 ? this.poll() : this.open(), Math.min(500 * 2 ** this.failures, 8000));
    };
  }

  // poll asks for what is new every five seconds, and tries the stream again.
  async poll() {
    if (this.closed) return;
    try {
      const query = new URLSearchParams(this.query);
      query.set('limit', '200');
      const got = await get('events', query);
      const fresh = got.events.filter(e => e.id > this.last).reverse();
      for (const e of fresh) { this.last = e.id; this.on('falco', e); }
      this.on('up', {});
      this.failures = 1;
      this.timer = setTimeout(() => this.open(), 5000);
    } catch {
      this.timer = setTimeout(() => this.poll(), 5000);
    }
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.source.close();
  }
}
