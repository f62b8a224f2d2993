/**
 * The change of one quote: JSON Patch operations on `{"quotes":{…}}`, written straight from the changes without
 * building the operations first (native-notes/measurements.md).
 */

import { Known } from '../protocol/byte-writer.js';
import { stringifyExact } from '../protocol/exact-json.js';
import { type MsgpackWriter, packedTexts } from '../protocol/msgpack-writer.js';
import { pointerToken } from '../protocol/topics.js';
import { StatisticsWriter } from './fix-message.js';
import type { FixWriter } from './fix-writer.js';
import type { Encodable, Stamps } from './frame-encoder.js';
import { inJson, type JsonWriter } from './json-writer.js';
import { MSGPACK_OPERATION, MSGPACK_VALUE, PatchHead } from './patch-head.js';
import { type Field, indexOfField, type Quote } from './quote.js';

const CLOSING_BRACE = 0x7d;
const COMMA = 0x2c;
const JSON_END = Known.text(']}');

/** The common beginnings of a symbol's patches in one epoch, and of their operations. */
export class PatchBeginnings {
  readonly head: PatchHead;
  /** JSON of an operation up to the field's name. */
  readonly replace: Known;
  readonly #quotePath: string;
  readonly #path: string;
  #utf8Path: Known | undefined;
  #whole: Known | undefined;
  #packedPath: Known | undefined;

  constructor(
    readonly symbol: string,
    readonly epoch: string,
  ) {
    this.#quotePath = `/quotes/${pointerToken(symbol)}`;
    this.#path = `${this.#quotePath}/`;
    this.head = new PatchHead('quotes_patch', symbol, epoch);
    this.replace = this.#operation('replace');
  }

  /** An operation up to the field's name, as UTF-8; only MessagePack needs it. */
  get path(): Known {
    this.#utf8Path ??= Known.text(this.#path);
    return this.#utf8Path;
  }

  /** JSON of an operation on the whole quote, up to its first member. */
  get whole(): Known {
    this.#whole ??= Known.text(`{"op":"replace","path":"${inJson(this.#quotePath)}","value":{`);
    return this.#whole;
  }

  /** The path of the whole quote, in MessagePack. */
  get packedPath(): Known {
    this.#packedPath ??= packedTexts(this.#quotePath);
    return this.#packedPath;
  }

  /** Not cached: rarer than `replace`. */
  get add(): Known {
    return this.#operation('add');
  }

  get remove(): Known {
    return this.#operation('remove');
  }

  #operation(op: 'add' | 'replace' | 'remove'): Known {
    return Known.text(`{"op":"${op}","path":"${inJson(this.#path)}`);
  }
}

/** The value where a quote lacks the member. */
const ABSENT = Symbol('absent');
const NO_FIELDS: readonly Field[] = [];

/** Bytes of an operation and of a quote's member, without the start of the path, the field's name and the value. */
const JSON_OPERATION = 12;
const JSON_MEMBER = 4;
const MSGPACK_OPERATION_BYTES = 25;
const MSGPACK_MEMBER = 2;
/** The shortest value. */
const VALUE_MIN = 1;

/**
 * A change of one quote: one operation per field, or one `replace` of the whole quote if that is shorter. So a change
 * is never longer than the whole.
 */
export class QuotePatch implements Encodable {
  readonly #to: Quote;
  /** The previous value of each member of `to`. */
  readonly #before: readonly unknown[];
  readonly #removed: readonly Field[];
  readonly #operations: number;
  /**
   * Bytes of the unchanged fields' names, minus the escapes in the paths of the others; and the number of unchanged
   * fields.
   */
  readonly #keptNames: number;
  readonly #kept: number;
  readonly #beginnings: PatchBeginnings;
  readonly #prevSeq: number;
  readonly #seq: number;

  constructor(from: Quote, to: Quote, beginnings: PatchBeginnings, prevSeq: number, seq: number) {
    this.#to = to;
    this.#beginnings = beginnings;
    this.#prevSeq = prevSeq;
    this.#seq = seq;
    const isAlike = from.layout === to.layout;
    this.#before = isAlike ? from.values : to.layout.map(({ name }) => valueIn(from, name));
    this.#removed = isAlike ? NO_FIELDS : from.layout.filter(({ name }) => indexOfField(to.layout, name) < 0);
    let keptNames = 0;
    let kept = 0;
    let escapes = 0;
    for (let at = 0; at < to.values.length; at++) {
      const field = to.layout[at] as Field;
      if (!isSame(this.#before[at], to.values[at])) {
        escapes += field.escapes;
        continue;
      }
      kept++;
      keptNames += field.nameBytes;
    }
    this.#kept = kept;
    this.#keptNames = keptNames - escapes;
    this.#operations = this.#removed.length + to.values.length - kept;
  }

  get isEmpty(): boolean {
    return this.#operations === 0;
  }

  json(out: JsonWriter): void {
    const size = this.#beginnings.replace.bytes.length + JSON_OPERATION;
    if (this.#isShort(size, JSON_MEMBER)) {
      this.#jsonOperations(out);
      return;
    }
    const begin = out.length;
    this.#jsonWhole(out);
    const end = out.length;
    if (this.#operations * size >= end - begin) return;
    this.#jsonOperations(out);
    out.keepShorter(begin, end);
  }

  msgpack(out: MsgpackWriter, stamps: Stamps | undefined): void {
    const size = this.#beginnings.path.bytes.length + MSGPACK_OPERATION_BYTES;
    const moreMembers = stamps?.members ?? 0;
    const begin = out.length;
    if (this.#isShort(size, MSGPACK_MEMBER)) {
      this.#msgpackOperations(out, moreMembers);
    } else {
      this.#msgpackWhole(out, moreMembers);
      const end = out.length;
      if (this.#operations * size < end - begin) {
        this.#msgpackOperations(out, moreMembers);
        out.keepShorter(begin, end);
      }
    }
    stamps?.msgpack(out);
  }

  fix(out: FixWriter): void {
    const { layout, values } = this.#to;
    const statistics = new StatisticsWriter(out, this.#beginnings.symbol);
    for (let at = 0; at < values.length; at++) {
      const after = values[at];
      if (!isSame(this.#before[at], after)) statistics.member((layout[at] as Field).name, after);
    }
    for (const { name } of this.#removed) statistics.member(name, undefined);
  }

  /**
   * True if single operations are certainly no longer than the whole quote, which also contains the unchanged fields.
   * If this does not decide it, both are written and compared.
   * @param operation bytes of an operation without its field's name and value. @param member the same for a quote's
   *   member
   */
  #isShort(operation: number, member: number): boolean {
    const spared = this.#keptNames + this.#kept * (member + VALUE_MIN);
    // One operation names the quote, as the whole does.
    return (this.#operations - 1) * operation + this.#removedNames() <= spared;
  }

  #removedNames(): number {
    let bytes = 0;
    for (const { nameBytes, escapes } of this.#removed) bytes += nameBytes + escapes;
    return bytes;
  }

  #jsonOperations(out: JsonWriter): void {
    const { head, replace } = this.#beginnings;
    const { layout, values } = this.#to;
    head.json(out, this.#prevSeq, this.#seq);
    for (let at = 0; at < values.length; at++) {
      const before = this.#before[at];
      const after = values[at];
      if (isSame(before, after)) continue;
      out.copy(before === ABSENT ? this.#beginnings.add : replace);
      out.copy((layout[at] as Field).json);
      out.value(after);
      out.byte(CLOSING_BRACE);
      out.byte(COMMA);
    }
    for (const { jsonRemoved } of this.#removed) {
      out.copy(this.#beginnings.remove);
      out.copy(jsonRemoved);
    }
    // Each operation ends with a comma.
    if (this.#operations > 0) out.length--;
    out.copy(JSON_END);
  }

  #jsonWhole(out: JsonWriter): void {
    const { layout, values } = this.#to;
    this.#beginnings.head.json(out, this.#prevSeq, this.#seq);
    out.copy(this.#beginnings.whole);
    for (let at = 0; at < values.length; at++) {
      if (at > 0) out.byte(COMMA);
      out.copy((layout[at] as Field).jsonMember);
      out.value(values[at]);
    }
    out.byte(CLOSING_BRACE);
    out.byte(CLOSING_BRACE);
    out.copy(JSON_END);
  }

  #msgpackOperations(out: MsgpackWriter, moreMembers: number): void {
    const { head, path } = this.#beginnings;
    const { layout, values } = this.#to;
    head.msgpack(out, this.#prevSeq, this.#seq, this.#operations, moreMembers);
    for (let at = 0; at < values.length; at++) {
      const before = this.#before[at];
      const after = values[at];
      if (isSame(before, after)) continue;
      out.copy(before === ABSENT ? MSGPACK_OPERATION.add : MSGPACK_OPERATION.replace);
      writePath(out, path, layout[at] as Field);
      out.copy(MSGPACK_VALUE);
      out.value(after);
    }
    for (const field of this.#removed) {
      out.copy(MSGPACK_OPERATION.remove);
      writePath(out, path, field);
    }
  }

  #msgpackWhole(out: MsgpackWriter, moreMembers: number): void {
    const { layout, values } = this.#to;
    this.#beginnings.head.msgpack(out, this.#prevSeq, this.#seq, 1, moreMembers);
    out.copy(MSGPACK_OPERATION.replace);
    out.copy(this.#beginnings.packedPath);
    out.copy(MSGPACK_VALUE);
    out.map(values.length);
    for (let at = 0; at < values.length; at++) {
      out.copy((layout[at] as Field).msgpackName);
      out.value(values[at]);
    }
  }
}

function valueIn({ layout, values }: Quote, name: string): unknown {
  const at = indexOfField(layout, name);
  return at < 0 ? ABSENT : values[at];
}

/** A publisher's own members may hold objects, which are replaced whole when their JSON differs. */
function isSame(before: unknown, after: unknown): boolean {
  // Separate lines, so that each comparison is compiled for its own type.
  if (typeof after === 'number') return typeof before === 'number' && before === after;
  if (typeof after === 'string') return typeof before === 'string' && before === after;
  return before === after || (typeof after === 'object' && isAlike(before, after));
}

function isAlike(before: unknown, after: unknown): boolean {
  return typeof before === 'object' && stringifyExact(before) === stringifyExact(after);
}

function writePath(out: MsgpackWriter, path: Known, { utf8 }: Field): void {
  out.textHeader(path.bytes.length + utf8.bytes.length);
  out.copy(path);
  out.copy(utf8);
}
