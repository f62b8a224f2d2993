/**
 * Applies the changes of a frame to a document of the client: of JSON Patch (RFC 6902, with the pointers of RFC 6901),
 * the three operations that a gateway sends. The server may not be a genuine gateway, so a frame can change only its
 * own values and add no more than it contains. `move`, `copy` and `test` fail, as `copy` can double a document with
 * each operation. Pointers follow own members only: `constructor` is a name like any other.
 */

/** True for the path, as reference tokens, of a value that the frame may change. */
export type IsOwn = (path: readonly string[]) => boolean;

/** Most levels of arrays and objects within a value. A gateway accepts eight from a publisher. */
export const NESTING_MAX = 32;
/** Largest size of a document, as {@link isBounded} counts it: four times the longest quote that a gateway accepts. */
export const DOCUMENT_SIZE_MAX = 1024 ** 2;

/** The size of a number, an end of an array or another value of fixed size. */
const VALUE_SIZE = 8;
/** For server text in a message. */
const SHOWN_LENGTH_MAX = 100;
/** The one name that leads to a prototype even when assigned to, so it is never a member here. */
const PROTOTYPE_TOKEN = '__proto__';

/**
 * Applies the operations in order, in place. Copies the values that they add, so the frame stays unchanged. Never
 * throws.
 * @returns why one of them failed: then the document is neither the old nor the new one; undefined if all are applied
 */
export function applyOperations(document: object, operations: readonly unknown[], isOwn: IsOwn): string | undefined {
  for (let at = 0; at < operations.length; at++) {
    try {
      apply(document, operations[at], isOwn);
    } catch (error) {
      return `operation ${at}: ${error instanceof Error ? error.message : error}`;
    }
  }
  return undefined;
}

/** True while a document is no larger, and no more deeply nested, than any that a gateway sends. */
export function isBounded(document: unknown): boolean {
  return sizeOf(document, 0) <= DOCUMENT_SIZE_MAX;
}

function sizeOf(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return VALUE_SIZE;
  if (depth > NESTING_MAX) return Number.POSITIVE_INFINITY;
  let size = VALUE_SIZE;
  for (const name in value) size += name.length + sizeOf((value as Record<string, unknown>)[name], depth + 1);
  return size;
}

function apply(document: object, operation: unknown, isOwn: IsOwn): void {
  if (!isRecord(operation)) throw new Error('is not an object');
  const { op, path: pointer } = operation;
  const path = tokensOf(pointer);
  const token = path.at(-1);
  if (token === undefined || !isOwn(path)) throw new Error(`this frame may not change ${shown(pointer)}`);
  const parent = parentOf(document, path);
  if (op === 'add') insert(parent, token, givenValue(operation));
  else if (op === 'replace') replace(parent, token, givenValue(operation));
  else if (op === 'remove') remove(parent, token);
  else throw new Error(`${shown(op)} is not supported`);
}

function tokensOf(pointer: unknown): string[] {
  if (typeof pointer !== 'string') throw new Error('a pointer is missing');
  if (pointer === '') return [];
  if (!pointer.startsWith('/') || /~(?![01])/.test(pointer)) throw new Error(`${shown(pointer)} is not a pointer`);
  const tokens = pointer.slice(1).split('/');
  if (!pointer.includes('~')) return tokens;
  return tokens.map(token => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function givenValue(operation: Readonly<Record<string, unknown>>): unknown {
  if (Object.hasOwn(operation, 'value')) return copyOf(operation.value, 0);
  throw new Error('a value is missing');
}

/** The array or object that contains the last token. */
function parentOf(document: object, tokens: readonly string[]): unknown {
  let value: unknown = document;
  for (let i = 0; i < tokens.length - 1; i++) {
    const token = tokens[i] ?? '';
    value = Array.isArray(value) ? value[indexOf(token, value.length - 1)] : memberOf(value, token)[token];
  }
  return value;
}

function insert(parent: unknown, token: string, value: unknown): void {
  if (Array.isArray(parent)) parent.splice(token === '-' ? parent.length : indexOf(token, parent.length), 0, value);
  else recordOf(parent, token)[token] = value;
}

function replace(parent: unknown, token: string, value: unknown): void {
  if (Array.isArray(parent)) parent[indexOf(token, parent.length - 1)] = value;
  else memberOf(parent, token)[token] = value;
}

function remove(parent: unknown, token: string): void {
  if (Array.isArray(parent)) parent.splice(indexOf(token, parent.length - 1), 1);
  else delete memberOf(parent, token)[token];
}

/** An array index as in RFC 6901 (no sign, no leading zero), at most `max`. */
function indexOf(token: string, max: number): number {
  const index = Number(token);
  if (/^(0|[1-9]\d*)$/.test(token) && index <= max) return index;
  throw new Error(`nothing at index ${shown(token)}`);
}

function recordOf(parent: unknown, token: string): Record<string, unknown> {
  if (token === PROTOTYPE_TOKEN) throw new Error(`${token} is not allowed as a member`);
  if (isRecord(parent)) return parent;
  throw new Error(`${shown(token)} in something that is neither an object nor an array`);
}

function memberOf(parent: unknown, token: string): Record<string, unknown> {
  const record = recordOf(parent, token);
  if (Object.hasOwn(record, token)) return record;
  throw new Error(`nothing at ${shown(token)}`);
}

function copyOf(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > NESTING_MAX) throw new Error('a value is nested too deeply');
  if (Array.isArray(value)) return value.map(item => copyOf(item, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    if (name === PROTOTYPE_TOKEN) throw new Error(`${name} is not allowed as a member`);
    copy[name] = copyOf((value as Record<string, unknown>)[name], depth + 1);
  }
  return copy;
}

function shown(text: unknown): string {
  return String(text).slice(0, SHOWN_LENGTH_MAX);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
