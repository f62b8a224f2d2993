/** The messages of market data that one session sends. While it may not send any, nothing happens. */
import type { FixMessage } from '../wire/message.js';
import { reversedRoute } from '../wire/reversed-route.js';
import { MsgType, Tag } from '../wire/tags.js';
import type { MessageWriter } from '../wire/writer.js';
import type { ClientJournal, RefusedTopics } from './client-journal.js';
import type { ChainPlace, Entries } from './entries.js';
import type { Recipient, Resolution } from './market-client.js';
import type { MdReject } from './request.js';

/** User tags, with FIX_SEQ_TAGS. */
const EPOCH = 20_001;
const PREV_SEQ = 20_002;
const SEQ = 20_003;
const CHECKSUM = 20_004;

export interface MessagesOptions {
  readonly hasSeqTags: boolean;
  readonly begin: (type: string) => MessageWriter;
  readonly end: (isKept: boolean) => void;
  readonly isActive: () => boolean;
  /** Messages that wait for the socket. */
  readonly depth: () => number;
  /** Undefined: nothing is recorded. */
  readonly journal: ClientJournal | undefined;
}

export class MarketMessages {
  readonly #options: MessagesOptions;
  #wholeBytes = 0;

  constructor(options: MessagesOptions) {
    this.#options = options;
  }

  /** Bytes of the last W; 0: there was none. */
  get wholeBytes(): number {
    return this.#wholeBytes;
  }

  /** W. */
  whole({ request, symbol }: Recipient, parts: readonly Entries[], place: ChainPlace, resolution?: Resolution): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.marketDataSnapshot);
    out.field(Tag.mdReqId, request.id);
    out.utf8(Tag.symbol, symbol);
    out.integer(
      Tag.noMdEntries,
      parts.reduce((sum, { count }) => sum + count, 0),
    );
    for (const part of parts) out.shared(part);
    if (resolution !== undefined) out.integer(Tag.applQueueResolution, resolution);
    this.#tags(out, place);
    this.#wholeBytes = out.length;
    this.#options.end(false);
  }

  /** X. */
  change({ request }: Recipient, entries: Entries, place: ChainPlace | undefined, resolution?: Resolution): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.marketDataIncremental);
    out.field(Tag.mdReqId, request.id);
    out.integer(Tag.noMdEntries, entries.count);
    out.shared(entries);
    if (resolution !== undefined) {
      out.integer(Tag.applQueueDepth, this.#options.depth());
      out.integer(Tag.applQueueResolution, resolution);
    }
    if (place !== undefined) this.#tags(out, place);
    this.#options.end(false);
  }

  /** B. */
  news(symbols: readonly string[], headline: string, text: string): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.news);
    out.field(Tag.headline, headline);
    if (symbols.length > 0) {
      out.integer(Tag.noRelatedSym, symbols.length);
      for (const symbol of symbols) out.utf8(Tag.symbol, symbol);
    }
    out.integer(Tag.linesOfText, 1);
    out.utf8(Tag.text, text);
    this.#options.end(true);
  }

  /** Y. @param topics for the journal: those that are refused, where that is the reason */
  reject(id: string, reason: MdReject, text: string, topics?: readonly RefusedTopics[]): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.marketDataRequestReject);
    out.field(Tag.mdReqId, id);
    out.field(Tag.mdReqRejReason, reason);
    out.utf8(Tag.text, text);
    this.#options.end(true);
    this.#options.journal?.refused({ code: `${Tag.mdReqRejReason}=${reason}`, id, reason: text, topics });
  }

  /** j. */
  businessReject(message: FixMessage, reason: number, text: string, refId: string | undefined): void {
    if (!this.#options.isActive()) return;
    const out = this.#options.begin(MsgType.businessReject);
    for (const [tag, value] of reversedRoute(message)) out.field(tag, value);
    out.integer(Tag.refSeqNum, message.seqNum);
    out.field(Tag.text, text);
    out.field(Tag.refMsgType, message.type);
    if (refId !== undefined) out.field(Tag.businessRejectRefId, refId);
    out.integer(Tag.businessRejectReason, reason);
    this.#options.end(true);
    this.#options.journal?.refused({ code: `${Tag.businessRejectReason}=${reason}`, id: refId, reason: text });
  }

  #tags(out: MessageWriter, { epoch, prevSeq, seq, checksum }: ChainPlace): void {
    if (!this.#options.hasSeqTags) return;
    out.field(EPOCH, epoch);
    out.integer(PREV_SEQ, prevSeq);
    out.integer(SEQ, seq);
    if (checksum !== undefined) out.integer(CHECKSUM, checksum);
  }
}
