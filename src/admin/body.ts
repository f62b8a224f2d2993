/** Reads the body of a change: JSON, bounded in length, depth and time. */
import type { IncomingMessage } from 'node:http';
import { isNestedDeeper } from '../protocol/json-depth.js';
import { type Answer, failure } from './answers.js';

export const BODY_BYTES_MAX = 64 * 1024;
const BODY_MS_MAX = 5_000;
const NESTING_MAX = 8;
const JSON_TYPE = /^application\/json\s*(;|$)/i;
/** What remains of the body is not read: the connection ends with the answer. */
const CLOSE = { Connection: 'close' };

type Body = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly answer: Answer };

const refused = (answer: Answer): Body => ({ ok: false, answer });

/**
 * The parsed body; `{}` if it is empty. The content type is required in any case: a web page cannot send it to another
 * origin without asking first, which is never granted here.
 */
export async function readBody(request: IncomingMessage, maxMs = BODY_MS_MAX): Promise<Body> {
  if (!JSON_TYPE.test(request.headers['content-type'] ?? '')) {
    return refused(failure('unsupported_media_type', 'Content-Type must be application/json', CLOSE));
  }
  const bytes = await bytesOf(request, maxMs);
  if (bytes === 'too_long') {
    return refused(failure('payload_too_large', `the body is longer than ${BODY_BYTES_MAX} bytes`, CLOSE));
  }
  if (bytes === 'too_late') return refused(failure('timeout', 'the body took too long', CLOSE));
  const text = bytes.toString();
  if (text.trim() === '') return { ok: true, value: {} };
  if (isNestedDeeper(text, NESTING_MAX)) return refused(failure('invalid', 'the body is nested too deeply'));
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch {
    return refused(failure('invalid', 'the body is not JSON'));
  }
}

/** Rejects if the connection breaks: then no one waits for an answer. */
function bytesOf(request: IncomingMessage, maxMs: number): Promise<Buffer | 'too_long' | 'too_late'> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const end = (outcome: Buffer | 'too_long' | 'too_late') => {
      clearTimeout(late);
      request.off('data', onData);
      resolve(outcome);
    };
    const late = setTimeout(() => end('too_late'), maxMs);
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      if (length > BODY_BYTES_MAX) end('too_long');
      else chunks.push(chunk);
    };
    request.on('data', onData);
    request.once('end', () => end(Buffer.concat(chunks)));
    request.once('error', cause => {
      clearTimeout(late);
      reject(cause);
    });
  });
}
