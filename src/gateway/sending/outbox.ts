/** Everything sent to sockets passes through here, native publishes included, to be counted and stamped. */
import { stringifyExact } from '../../protocol/exact-json.js';
import { MsgpackWriter } from '../../protocol/msgpack-writer.js';
import { stampTsSent } from '../../threads/stamp.js';
import type { RefusedTopics } from '../journal/control-records.js';
import type { DeliveryJournal } from '../journal/delivery-journal.js';
import type { Place } from '../journal/place.js';
import type { Session, Subscription, View } from '../model/session.js';
import type { Part, Views } from '../views/views.js';
import { Announcements } from './announcements.js';
import { recordFrame } from './recorded-frames.js';
import { composeQuotes, FRAME_BYTES, groupQuotes } from './snapshot-frames.js';

/** uWS's `app.publish`. */
export type Publish = (topic: string, message: Uint8Array, isBinary: boolean, compress: boolean) => boolean;

/** Common clients accept frames of this size. */
const SNAPSHOT_FRAME_BYTES_MAX = 32 * 1024;

/** uWS's `ws.send` returns this when it buffers the message in user space. */
const BACKPRESSURE = 0;
/** uWS's `ws.send` returns this when it drops the message because the socket's buffer is full. */
const DROPPED = 2;

interface SentQuote {
  readonly view: View;
  readonly part: Part;
}

export class Outbox {
  /** Control frames sent: replies, warnings, errors, gaps. */
  readonly control = { messages: 0, bytes: 0 };
  /** Of these, those that tell of something wrong. */
  readonly announcements = new Announcements();
  /** Sockets seen with bytes in user space; sampled until they are empty. */
  readonly buffered = new Set<Session>();
  readonly #writer = new MsgpackWriter();
  readonly #publish: Publish;
  readonly #nowMicros: () => number;
  readonly #sentCell: Views['sentCell'];
  readonly #compression: boolean;
  readonly #snapshotFrameBytesMax: number;

  /**
   * @param compression compress JSON for sockets that negotiated it; MessagePack is never compressed
   * @param snapshotFrameBytesMax longest frame with several quotes
   * @param journal records what is sent; undefined: nothing is recorded
   */
  constructor(
    publish: Publish,
    nowMicros: () => number,
    sentCell: Views['sentCell'],
    compression: boolean,
    snapshotFrameBytesMax = SNAPSHOT_FRAME_BYTES_MAX,
    readonly journal?: DeliveryJournal,
  ) {
    this.#publish = publish;
    this.#nowMicros = nowMicros;
    this.#sentCell = sentCell;
    this.#compression = compression;
    this.#snapshotFrameBytesMax = snapshotFrameBytesMax;
  }

  /** How many bytes of quotes (`quoteBytes`) one frame takes. */
  get quotesBytesMax(): number {
    return this.#snapshotFrameBytesMax - FRAME_BYTES;
  }

  /** Sends a control message in the session's format; false when it was dropped. @param refused for the journal */
  send(session: Session, message: object, refused?: RefusedTopics): boolean {
    const isJson = session.format === 'json';
    const bytes = isJson ? stringifyExact(message) : this.#packed(message);
    const length = typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length;
    this.control.messages++;
    this.control.bytes += length;
    recordFrame(session, message);
    this.announcements.sent(message, 1);
    const isSent = this.#write(session, bytes, length, !isJson);
    if (isSent) this.journal?.controlSent(session, message, refused);
    return isSent;
  }

  /** Publishes a control message to the view's sockets. */
  publishControl(view: View, message: object): void {
    if (view.subscribers === 0) return;
    const bytes = view.isMsgpack ? this.#packed(message) : Buffer.from(stringifyExact(message));
    this.control.messages += view.subscribers;
    this.control.bytes += view.subscribers * bytes.length;
    this.announcements.sent(message, view.subscribers);
    view.countPublished(bytes.length);
    this.#publish(view.nativeTopic, bytes, view.isMsgpack, this.#compression && !view.isMsgpack);
  }

  /** Publishes `frame[start..end)` to the view's sockets. The bytes may be overwritten: they are stamped in place. */
  publish(view: View, frame: Uint8Array, start: number, end: number, counted = view.sent): void {
    if (view.subscribers === 0) return;
    if (view.isStamped) stampTsSent(frame, end, view.isMsgpack, this.#nowMicros());
    this.#publish(view.nativeTopic, frame.subarray(start, end), view.isMsgpack, this.#compression && !view.isMsgpack);
    counted.messages += view.subscribers;
    counted.bytes += view.subscribers * (end - start);
    view.countPublished(end - start);
  }

  /** Tells all sockets of a view that its topic is stale, and at which position. */
  publishStale(view: View): void {
    const { stale, subscribers } = view;
    if (stale === undefined) return;
    this.announcements.stale(stale.reason, subscribers);
    this.publish(view, stale.frame.slice(), 0, stale.frame.length, this.control);
    this.journal?.stalePublished(view);
  }

  /** The same for one socket; false when it was dropped. */
  sendStale(session: Session, view: View): boolean {
    const { stale } = view;
    if (stale === undefined) return true;
    this.announcements.stale(stale.reason, 1);
    const isSent = this.sendEncoded(session, view, stale.frame.slice());
    if (isSent) this.journal?.staleSent(session, view);
    return isSent;
  }

  /** Repairs the chain of all sockets of a view with one complete document. */
  publishPart(view: View, part: Part): void {
    const { symbol, isStamped } = view;
    const format = view.isMsgpack ? 'msgpack' : 'json';
    const group = { epoch: part.epoch, quotes: [{ symbol, part }] };
    const frame =
      view.stream === 'quotes' ? composeQuotes(group, { format, isStamped, isComplete: false }) : part.bytes.slice();
    this.publish(view, frame, 0, frame.length);
    this.journal?.wholePublished(view, part);
  }

  /** Sends the complete snapshot frame of one topic to one socket; false when it was dropped. */
  sendPart(session: Session, view: View, part: Part): boolean {
    const frame = view.isStamped ? part.bytes.slice() : part.bytes;
    if (view.isStamped) stampTsSent(frame, frame.length, view.isMsgpack, this.#nowMicros());
    view.sent.messages++;
    view.sent.bytes += frame.length;
    const isSent = this.#writeSnapshot(session, frame, view.isMsgpack);
    if (isSent) this.journal?.snapshotSent(session, view, part);
    return isSent;
  }

  /**
   * Sends `quotes_patch` snapshots, as many as the length of a frame and the epochs of the parts require. False when
   * one was dropped.
   * @param isComplete the last of them says that no quote is missing any more
   */
  sendQuotes(session: Session, parts: ReadonlyMap<Subscription, Part>, isComplete: boolean): boolean {
    const { format, isStamped } = session;
    const isBinary = format === 'msgpack';
    const quotes = Array.from(parts, ([{ symbol, view }, part]) => ({ symbol, view, part }));
    const groups = groupQuotes(quotes, this.#snapshotFrameBytesMax);
    // No symbol has data yet: send an empty snapshot.
    if (groups.length === 0) groups.push({ epoch: '', quotes: [] });
    let isSent = true;
    for (const group of groups) {
      const isLast = group === groups.at(-1);
      const isEnd = isComplete && isLast;
      const frame = composeQuotes(group, { format, isStamped, isComplete: isEnd });
      if (isStamped) stampTsSent(frame, frame.length, isBinary, this.#nowMicros());
      const cell = this.#sentCell('quotes', format, 'snapshot');
      cell.messages++;
      cell.bytes += frame.length;
      const isWritten = this.#writeSnapshot(session, frame, isBinary);
      if (isWritten && this.journal !== undefined) quotesSent(this.journal, session, group.quotes, isEnd);
      isSent = isWritten && isSent;
    }
    return isSent;
  }

  /**
   * Sends an encoder's frame for the session's view; false when it was dropped. The frame may be overwritten: it is
   * stamped in place.
   * @param place where it stands in its chain, for the journal, which then awaits `sentAll`
   */
  sendEncoded(session: Session, view: View, frame: Uint8Array, place?: Place): boolean {
    if (view.isStamped) stampTsSent(frame, frame.length, view.isMsgpack, this.#nowMicros());
    view.sent.messages++;
    view.sent.bytes += frame.length;
    const isSent = this.#write(session, frame, frame.length, session.format === 'msgpack');
    if (isSent && place !== undefined) this.journal?.sent(session, view, place);
    return isSent;
  }

  /** Valid until the next call. */
  #packed(message: object): Uint8Array {
    this.#writer.clear();
    this.#writer.value(message);
    return this.#writer.written;
  }

  #writeSnapshot(session: Session, frame: Uint8Array, isBinary: boolean): boolean {
    session.receipt.sent(frame.length);
    return this.#write(session, frame, frame.length, isBinary);
  }

  /**
   * uWS reports drops through its `dropped` callback, here as for publishes; the callback handles the effect on
   * topics.
   */
  #write(session: Session, bytes: Uint8Array | string, length: number, isBinary: boolean): boolean {
    const status = session.socket?.send(bytes, isBinary, this.#compression && !isBinary);
    if (status === BACKPRESSURE) this.buffered.add(session);
    if (status === DROPPED) return false;
    if (status !== undefined) session.traffic.sent(length);
    return true;
  }
}

/** Records the quotes of a frame. @param isComplete the frame says that no quote is missing any more */
function quotesSent(
  journal: DeliveryJournal,
  session: Session,
  quotes: readonly SentQuote[],
  isComplete: boolean,
): void {
  for (const [i, { view, part }] of quotes.entries()) {
    const more = quotes.length - 1 - i;
    const ofFrame = { ...(more > 0 ? { more } : undefined), ...(isComplete ? { complete: true as const } : undefined) };
    journal.snapshotSent(session, view, part, ofFrame);
  }
}
