/** A headless Chromium, driven by the DevTools protocol over a pipe: no library is needed. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const WAIT = 60_000; // milliseconds for a condition of a page

export class Chromium {
  /**
   * @param {string} program
   * @param {string[]} flags
   */
  constructor(program, flags = []) {
    this.folder = mkdtempSync(join(tmpdir(), 'web-demo-'));
    const usual = ['--headless', '--no-sandbox', '--no-first-run', '--remote-debugging-pipe'];
    const own = [`--user-data-dir=${this.folder}`, '--disable-dev-shm-usage', 'about:blank'];
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'];
    this.process = spawn(program, [...usual, ...flags, ...own], { stdio });
    this.process.stdio[3].on('error', () => {}); // its end is seen below
    this.waiting = new Map();
    this.ended = new Promise((done) => this.process.once('exit', done));
    this.ended.then((code) => {
      this.isGone = new Error(`${program} has ended with ${code}`);
      this.waiting.forEach(([, failed]) => failed(this.isGone));
    });
    this.listeners = [];
    this.count = 0;
    let rest = '';
    this.process.stdio[4].setEncoding('utf8').on('data', (chunk) => {
      const messages = (rest + chunk).split('\0');
      rest = messages.pop();
      messages.forEach((text) => this.receive(JSON.parse(text)));
    });
  }

  receive(message) {
    const [done, failed] = this.waiting.get(message.id) ?? [];
    this.waiting.delete(message.id);
    if (message.error) failed?.(new Error(message.error.message));
    else if (message.id) done?.(message.result);
    else this.listeners.forEach((listener) => listener(message));
  }

  send(method, params = {}, sessionId = undefined) {
    if (this.isGone) return Promise.reject(this.isGone);
    const id = ++this.count;
    this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return new Promise((done, failed) => this.waiting.set(id, [done, failed]));
  }

  /** A page of this address and size, loaded; its own profile keeps permissions apart. */
  async open(url, { width = 1100, height = 900, mobile = false, before = '' } = {}) {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', {
      url: 'about:blank',
      browserContextId,
    });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, sessionId, browserContextId);
    for (const domain of ['Page', 'Runtime', 'DOM', 'Network', 'Log', 'Accessibility']) {
      await page.send(`${domain}.enable`);
    }
    await page.send('Emulation.setDeviceMetricsOverride', {
      width,
      height,
      deviceScaleFactor: 1,
      mobile,
    });
    if (before) await page.send('Page.addScriptToEvaluateOnNewDocument', { source: before });
    await page.send('Page.navigate', { url });
    await page.until(`document.readyState === 'complete' && location.href !== 'about:blank'`);
    return page;
  }

  async close() {
    this.send('Browser.close').catch(() => {});
    await this.ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

class Page {
  constructor(browser, session, context) {
    this.browser = browser;
    this.session = session;
    this.context = context;
    this.problems = []; // what the console complained of
    this.requests = []; // addresses that were asked for
    browser.listeners.push(({ method, params, sessionId }) => {
      if (sessionId !== session) return;
      if (method === 'Runtime.exceptionThrown') {
        const { exception, text } = params.exceptionDetails;
        this.problems.push(exception?.description ?? text);
      }
      if (method === 'Log.entryAdded' && params.entry.level === 'error') {
        this.problems.push(`${params.entry.text} ${params.entry.url ?? ''}`);
      }
      if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
    });
  }

  send(method, params) {
    return this.browser.send(method, params, this.session);
  }

  /** The value of an expression, awaited. */
  async value(expression) {
    const options = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', options);
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description);
    return result.value;
  }

  /** Waits until the expression is true. */
  async until(expression) {
    const end = Date.now() + WAIT;
    while (!(await this.value(`Boolean(${expression})`).catch(() => false))) {
      if (Date.now() > end) {
        const text = await this.value('document.body.innerText').catch(() => '');
        throw new Error(`never: ${expression}\n${text}\n${this.problems.join('\n')}`);
      }
      await new Promise((done) => setTimeout(done, 50));
    }
  }

  /** Chooses files in a file input. */
  async choose(selector, files) {
    const { result } = await this.send('Runtime.evaluate', {
      expression: `document.querySelector(${JSON.stringify(selector)})`,
    });
    await this.send('DOM.setFileInputFiles', { files, objectId: result.objectId });
  }

  /** Drops files in the middle of an element. */
  async drop(selector, files) {
    const [x, y] = await this.middle(selector);
    const data = { items: [], files, dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop']) {
      await this.send('Input.dispatchDragEvent', { type, x, y, data });
    }
  }

  async middle(selector) {
    const at = `document.querySelector(${JSON.stringify(selector)})`;
    await this.value(`${at}.scrollIntoView({block: 'center'})`);
    return this.value(
      `(({x, y, width, height}) => [x + width / 2, y + height / 2])(${at}.getBoundingClientRect())`,
    );
  }

  /** Presses and releases a key: 'Tab', 'Space', 'ArrowDown', or a character. */
  async press(key) {
    const codes = { Tab: 9, Enter: 13, Space: 32, ArrowDown: 40, ArrowUp: 38, ArrowRight: 39 };
    const text =
      key === 'Space' ? ' ' : key === 'Enter' ? '\r' : key.length === 1 ? key : undefined;
    const event = { key: text ?? key, code: key, text, windowsVirtualKeyCode: codes[key] };
    await this.send('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', ...event });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event, text: undefined });
  }

  /** Drags the mouse between two points of the view. */
  async drag([x, y], [toX, toY]) {
    const at = { button: 'left', buttons: 1, clickCount: 1 };
    await this.send('Input.dispatchMouseEvent', { type: 'mousePressed', x, y, ...at });
    await this.send('Input.dispatchMouseEvent', {
      type: 'mouseMoved',
      x: (x + toX) / 2,
      y: (y + toY) / 2,
      ...at,
    });
    await this.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x: toX, y: toY, ...at });
    await this.send('Input.dispatchMouseEvent', { type: 'mouseReleased', x: toX, y: toY, ...at });
  }

  /** A picture of the whole page as the bytes of a PNG. */
  async screenshot() {
    const { data } = await this.send('Page.captureScreenshot', { captureBeyondViewport: true });
    return Buffer.from(data, 'base64');
  }

  close() {
    return this.browser.send('Target.disposeBrowserContext', { browserContextId: this.context });
  }
}
