/** A bare nats.js subscriber that parses each message: the most that one JavaScript thread takes in. See README.md. */
import { connect } from 'nats';
import { serve } from '../../harness/channel.js';
import { clockOffsetMicros } from '../../harness/clock.js';
import { LatencyHistogram, type LatencyReport } from '../../load/latency-histogram.js';
import { nowMicros } from '../../load/latency-inspector.js';
import { ProgressSender } from '../../pacing/progress.js';

/** `progressPort`: where the number of messages is reported, every few ms. */
export type IngestCommand =
  | { readonly type: 'start'; readonly natsUrl: string; readonly progressPort: number; readonly intervalMs: number }
  | { readonly type: 'take' };

export type IngestAnswer =
  | { readonly type: 'started' }
  | {
      readonly type: 'taken';
      readonly messages: number;
      /** Of the messages that carry `ts_event`, since the last `take`. */
      readonly latency: LatencyReport;
      readonly clockOffsetMicros: number;
    };

let messages = 0;
const latency = new LatencyHistogram();
const decoder = new TextDecoder();

serve<IngestCommand, IngestAnswer>(async command => {
  if (command.type === 'take') {
    return { type: 'taken', messages, latency: latency.take(), clockOffsetMicros: clockOffsetMicros() };
  }
  const connection = await connect({ servers: command.natsUrl, name: 'bare-ingest' });
  connection.subscribe('md.>', {
    callback: (error, message) => {
      if (error !== null) throw error;
      const { ts_event } = JSON.parse(decoder.decode(message.data)) as { ts_event?: number };
      if (ts_event !== undefined) latency.record(nowMicros() - ts_event);
      messages++;
    },
  });
  await connection.flush();
  if (command.progressPort > 0) {
    const sender = await ProgressSender.connect(command.progressPort);
    let reported = 0;
    setInterval(() => {
      if (messages === reported) return;
      reported = messages;
      sender.send(messages);
    }, command.intervalMs);
  }
  return { type: 'started' };
});
