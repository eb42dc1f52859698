// Requests to the service, repeated until a reply settles them.

import { token } from './storage.js';

const API = 'api/adaptive';
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
const REQUEST_LIMIT_MS = 20_000;

/** Ends the pause before the next attempt; null while there is none. */
let endPause = null;

/**
 * Sends a request until a reply settles it: `{status, body}`. `onWait` is called with each reply that does not, and
 * with null at the end.
 */
export async function deliver(request, onWait) {
  for (let attempts = 0; ; attempts += 1) {
    const reply = await sendOnce(request);
    if (!isWorthRepeating(reply)) {
      onWait(null);
      return reply;
    }
    onWait(reply);
    await pause(Math.max(growingPause(attempts), reply.retryAfterMs ?? 0));
  }
}

/** One attempt. A reply that cannot be read is no reply: status 0. */
async function sendOnce({ method, path, body, headers = {} }) {
  try {
    const response = await fetch(`${API}${path}`, {
      method,
      headers: { ...bearer(), ...(body && { 'Content-Type': 'application/json' }), ...headers },
      body: body && JSON.stringify(body),
      cache: 'no-store',
      signal: AbortSignal.timeout ? AbortSignal.timeout(REQUEST_LIMIT_MS) : undefined,
    });
    const reply = { status: response.status, retryAfterMs: retryAfter(response.headers.get('Retry-After')) };
    const text = await response.text();
    const read = readJson(text);
    if (read === undefined && response.ok) return { status: 0 };
    return { ...reply, body: read ?? { detail: String(response.status) } };
  } catch {
    return { status: 0 };
  }
}

function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function bearer() {
  const value = token();
  return value ? { Authorization: `Bearer ${value}` } : {};
}

function isWorthRepeating(reply) {
  const { status } = reply;
  return status === 0 || status === 408 || status === 425 || status === 429 || status >= 500
    || isPaused(reply) || isHeld(reply);
}

/** Whether the exam is paused, so that the same request succeeds later. */
export function isPaused({ status, body }) {
  return status === 409 && body.code === 'exam_paused';
}

/** Whether the exam's time ran out in an outage and may still be given back. */
export function isHeld({ status, body }) {
  return status === 409 && body.code === 'time_ran_out_in_outage';
}

/** Milliseconds that a Retry-After header asks for, in seconds or as a date; null without one. */
function retryAfter(header) {
  if (!header) return null;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) && ms > 0 ? ms : null;
}

/** Doubles with every attempt; a random part keeps many pages from coming back at the same moment. */
function growingPause(attempts) {
  return Math.min(FIRST_PAUSE_MS * 2 ** attempts, LONGEST_PAUSE_MS) * (1 + Math.random() / 4);
}

/** Waits so long, or until `tryNow`. */
export function pause(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(() => endPause?.(), Math.min(ms, 2 ** 31 - 1));
    endPause = () => {
      clearTimeout(timer);
      endPause = null;
      resolve();
    };
  });
}

/** Ends the pause: the browser is online again, or somebody presses "Try now". */
export function tryNow() {
  endPause?.();
}
