// Chromium without a window, spoken to over a pipe by the DevTools protocol: no port, no driver.
//
// Input: the program, addresses. Output: values in the page, pictures. Must not know: what is drawn.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-dev-shm-usage",
  "--hide-scrollbars",
  "--no-first-run",
  "--force-device-scale-factor=1",
  "--remote-debugging-pipe",
];

export class Chromium {
  #process;
  #profile = mkdtempSync(join(tmpdir(), "adaptive-exam-chromium."));
  #waiting = new Map();
  #number = 0;
  #session;

  constructor(program) {
    const stdio = ["ignore", "ignore", "ignore", "pipe", "pipe"];
    this.#process = spawn(program, [...FLAGS, `--user-data-dir=${this.#profile}`], { stdio });
    this.#process.on("error", (error) => this.#fail(new Error(`${program} does not start: ${error.message}`)));
    this.#process.on("exit", (code) => this.#fail(new Error(`${program} has ended with ${code}`)));
    this.#process.stdio[3].on("error", () => {}); // it has ended, which is said above
    let text = "";
    this.#process.stdio[4].setEncoding("utf8").on("data", (more) => {
      const messages = (text + more).split("\0");
      text = messages.pop();
      messages.forEach((message) => this.#hear(JSON.parse(message)));
    });
  }

  #fail(error) {
    this.failed = error;
    this.#waiting.forEach(({ reject }) => reject(error));
    this.#waiting.clear();
  }

  #hear({ id, result, error }) {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) {
      waiting?.reject(new Error(error.message));
    } else {
      waiting?.resolve(result);
    }
  }

  send(method, params = {}) {
    if (this.failed) {
      return Promise.reject(this.failed);
    }
    const id = ++this.#number;
    const said = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.#session })}\0`);
    return said;
  }

  // A new page of this size at an address.
  async open(url, width, height) {
    this.#session = undefined;
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    this.#session = sessionId;
    await this.resize(width, height);
    await this.send("Page.enable");
    await this.send("Page.navigate", { url });
  }

  resize(width, height) {
    return this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  }

  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) {
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    }
    return result.value;
  }

  // The value of an expression, once it has one.
  async until(expression, seconds) {
    for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
      const value = await this.evaluate(expression);
      if (value) {
        return value;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`the page has no ${expression} after ${seconds} s`);
  }

  // A click of the mouse, so that the page sees no keyboard.
  async click({ x, y }) {
    for (const type of ["mousePressed", "mouseReleased"]) {
      await this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", clickCount: 1 });
    }
  }

  // The page as a PNG.
  async picture() {
    const { data } = await this.send("Page.captureScreenshot", { format: "png" });
    return Buffer.from(data, "base64");
  }

  async close() {
    const ended = this.failed ? Promise.resolve() : new Promise((resolve) => this.#process.once("exit", resolve));
    await this.send("Browser.close").catch(() => this.#process.kill());
    await ended;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
