/**
 * The shapes of all messages, for the AsyncAPI document and for tests. The data path does not use them; a test checks
 * that they describe what it does.
 */
import { closeCode, errorCode, gapReason, staleReason } from './frames/codes.js';
import { controlFrames } from './frames/control.js';
import { analyticsMessage, eventFrames } from './frames/events.js';
import * as members from './frames/members.js';
import { publisherHeaders } from './frames/publisher.js';
import { assetQuote, levelChange, quoteAddition, quoteChange, sideAddition, stateFrames } from './frames/state.js';

export { clientCommands } from './frames/commands.js';
export type { MessageDefinition } from './frames/members.js';

/** Everything that a gateway sends on a WebSocket. */
export const serverFrames = { ...controlFrames, ...stateFrames, ...eventFrames };

/** Building blocks of several messages, under the names that documents give them. */
export const sharedSchemas = {
  Name: members.name,
  Stream: members.stream,
  Topic: members.topic,
  RateClass: members.rateClass,
  Depth: members.depth,
  Epoch: members.epoch,
  Seq: members.seq,
  PrevSeq: members.prevSeq,
  Position: members.position,
  Time: members.time,
  Micros: members.micros,
  Amount: members.amount,
  Decimal: members.decimal,
  Quantity: members.quantity,
  Reference: members.reference,
  CommandId: members.commandId,
  ErrorCode: errorCode,
  GapReason: gapReason,
  StaleReason: staleReason,
  CloseCode: closeCode,
  AssetQuote: assetQuote,
  QuoteAddition: quoteAddition,
  QuoteChange: quoteChange,
  SideAddition: sideAddition,
  LevelChange: levelChange,
  AnalyticsMessage: analyticsMessage,
  PublisherHeaders: publisherHeaders,
};
