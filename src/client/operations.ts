/**
 * JSON Patch (RFC 6902, over the pointers of RFC 6901) from the wire onto a document that the client holds. Strict: what
 * the RFCs call an error fails. Pointers follow only members that an object has of its own: `constructor` is a name like any other.
 */

/** The document may be a new one: an operation on the path '' replaces it whole. */
export type PatchResult =
  | { readonly ok: true; readonly document: unknown }
  | { readonly ok: false; readonly reason: string };

/** The one name that leads to a prototype even where it is assigned to, so it is never a member here. */
const PROTOTYPE_TOKEN = '__proto__';

/**
 * Applies the operations in their order, in place. Values that they add are copied, so the frame stays as it came. After a
 * failure the document is neither the old nor the new one. Never throws.
 */
export function applyOperations(document: unknown, operations: readonly unknown[]): PatchResult {
  let root = document;
  for (let at = 0; at < operations.length; at++) {
    try {
      root = apply(root, operations[at]);
    } catch (error) {
      // Ours, or a stack overflow: nesting is as deep as a server makes it.
      const reason = error instanceof Error ? error.message : String(error);
      return { ok: false, reason: `operation ${at}: ${reason}` };
    }
  }
  return { ok: true, document: root };
}

function apply(root: unknown, operation: unknown): unknown {
  if (!isRecord(operation)) throw new Error('is no object');
  const path = tokensOf(operation.path);
  switch (operation.op) {
    case 'add':
      return insert(root, path, copyOf(givenValue(operation)));
    case 'remove':
      return remove(root, path);
    case 'replace':
      return replace(root, path, copyOf(givenValue(operation)));
    case 'move': {
      const from = tokensOf(operation.from);
      const value = walk(root, from, from.length);
      if (from.every((token, at) => token === path[at])) {
        if (from.length === path.length) return root;
        throw new Error('moves a value into itself');
      }
      return insert(remove(root, from), path, value);
    }
    case 'copy': {
      const from = tokensOf(operation.from);
      return insert(root, path, copyOf(walk(root, from, from.length)));
    }
    case 'test':
      if (isEqual(walk(root, path, path.length), givenValue(operation))) return root;
      throw new Error(`test of ${operation.path}: another value`);
    default:
      throw new Error(`unknown op ${String(operation.op)}`);
  }
}

function tokensOf(pointer: unknown): string[] {
  if (typeof pointer !== 'string') throw new Error('a pointer is missing');
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw new Error(`${pointer} is no pointer`);
  const tokens = pointer.slice(1).split('/');
  if (!pointer.includes('~')) return tokens;
  if (/~(?![01])/.test(pointer)) throw new Error(`${pointer} is no pointer`);
  return tokens.map(token => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function givenValue(operation: Readonly<Record<string, unknown>>): unknown {
  if (Object.hasOwn(operation, 'value')) return operation.value;
  throw new Error(`${String(operation.op)} without a value`);
}

/** The value that the first `count` tokens lead to. */
function walk(root: unknown, tokens: readonly string[], count: number): unknown {
  let value = root;
  for (let i = 0; i < count; i++) {
    const token = tokens[i] ?? '';
    if (Array.isArray(value)) value = value[indexOf(token, value.length - 1)];
    else value = memberOf(value, token)[token];
  }
  return value;
}

function insert(root: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  const parent = walk(root, path, path.length - 1);
  const token = path[path.length - 1] ?? '';
  if (Array.isArray(parent)) parent.splice(token === '-' ? parent.length : indexOf(token, parent.length), 0, value);
  else recordOf(parent, token)[token] = value;
  return root;
}

function replace(root: unknown, path: readonly string[], value: unknown): unknown {
  if (path.length === 0) return value;
  const parent = walk(root, path, path.length - 1);
  const token = path[path.length - 1] ?? '';
  if (Array.isArray(parent)) parent[indexOf(token, parent.length - 1)] = value;
  else memberOf(parent, token)[token] = value;
  return root;
}

function remove(root: unknown, path: readonly string[]): unknown {
  if (path.length === 0) throw new Error('removes the whole document');
  const parent = walk(root, path, path.length - 1);
  const token = path[path.length - 1] ?? '';
  if (Array.isArray(parent)) parent.splice(indexOf(token, parent.length - 1), 1);
  else delete memberOf(parent, token)[token];
  return root;
}

/** An array index as RFC 6901 writes it (no sign, no leading zero), at most `max`. */
function indexOf(token: string, max: number): number {
  const index = Number(token);
  if (/^(0|[1-9]\d*)$/.test(token) && index <= max) return index;
  throw new Error(`nothing at index ${token}`);
}

function recordOf(parent: unknown, token: string): Record<string, unknown> {
  if (token === PROTOTYPE_TOKEN) throw new Error(`${token} is no member`);
  if (isRecord(parent)) return parent;
  throw new Error(`${token} of what is neither object nor array`);
}

function memberOf(parent: unknown, token: string): Record<string, unknown> {
  const record = recordOf(parent, token);
  if (Object.hasOwn(record, token)) return record;
  throw new Error(`nothing at ${token}`);
}

function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf);
  if (!isRecord(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    if (name === PROTOTYPE_TOKEN) throw new Error(`${name} is no member`);
    copy[name] = copyOf(value[name]);
  }
  return copy;
}

/** RFC 6902 section 4.6: by value; an object's order of members means nothing. */
function isEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, at) => isEqual(item, b[at]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length && names.every(name => Object.hasOwn(b, name) && isEqual(a[name], b[name]))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
