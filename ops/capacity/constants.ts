/** What the capacity sheet is calculated from: one table, each figure with where it was measured. */

interface Constant {
  readonly value: number;
  readonly unit: string;
  readonly means: string;
  /** The run, or the note, that has it. */
  readonly from: string;
}

const constant = (value: number, unit: string, means: string, from: string): Constant => ({ value, unit, means, from });

/** Measured on two shared cores over the loopback interface, whose kernel does the work of both ends: upper bounds. */
export const CONSTANTS = {
  writeMicros: constant(
    17,
    'µs',
    'CPU of one write to a socket among 10,000 (7 to 9 among 500 to 1000)',
    'native-notes/measurements.md: 0.17 of a core for 10,000 heartbeats a second; bench/results: http, latency',
  ),
  deliveryMicros: constant(
    0.27,
    'µs',
    'CPU of one message in a write, besides its bytes',
    'bench/results: fanout and throughput, the line through 167 and 1017 bytes',
  ),
  byteNanos: constant(0.3, 'ns', 'CPU of one byte of a message', 'the same line'),
  realtimeTurnMs: constant(
    10,
    'ms',
    'Messages of class realtime within this time share a write, once a thread is busy',
    'native-notes/measurements.md: a turn of 32 KiB; p50 at 1 M deliveries/s',
  ),
  tlsShare: constant(
    0.6,
    '',
    'Messages that the same CPU sends with TLS, relative to without',
    'the goal of R58; not measured yet',
  ),
  frameBytes: constant(4, 'B', 'Header of a WebSocket frame of 126 bytes to 64 KiB', 'RFC 6455'),
  writeBytes: constant(
    66,
    'B',
    'Headers of a TCP segment with time stamps, per write and 1,400 bytes',
    'RFC 9293, RFC 7323; Ethernet',
  ),
  tlsRecordBytes: constant(22, 'B', 'Header, type and tag of a TLS 1.3 record, per write', 'RFC 8446'),
  jsonBytes: constant(317, 'B', 'A change of a quote in JSON', 'bench/results: bytes, simulator, busy'),
  msgpackBytes: constant(273, 'B', 'The same in MessagePack', 'bench/results: bytes, simulator, busy'),
  gatewayBytes: constant(
    128e6,
    'B',
    'Memory of a gateway without clients, with its rings and history filled',
    'bench/results: scale (104 MB); native-notes/memory.md (8 MB); HISTORY_BYTES (16 MB)',
  ),
  threadBytes: constant(7.5e6, 'B', 'Memory of one more thread', 'native-notes/memory.md'),
  connectionBytes: constant(2_600, 'B', 'Memory of a connection', 'bench/results: scale-sweep'),
  subscriptionBytes: constant(313, 'B', 'Memory of a subscription', 'bench/results: scale-sweep'),
  kernelBytes: constant(
    4_900,
    'B',
    'Kernel memory of one end of an idle connection',
    'bench/results: scale-sweep, half of both ends',
  ),
  symbolBytes: constant(6_000, 'B', 'Memory of a symbol', 'bench/results: scale-sweep'),
  slowBytes: constant(
    1.2 * 1024 ** 2 + 64 * 1024,
    'B',
    'Memory for a client that reads nothing',
    'native-notes/measurements.md: 1.2 of WS_MAX_BACKPRESSURE; TCP_NOTSENT_LOWAT',
  ),
  natsMicros: constant(
    1.6,
    'µs',
    'CPU of nats-server for a message to one gateway',
    'bench/results: ingest, 0.37 of a core at 225,000 a second',
  ),
  natsHeaderBytes: constant(
    60,
    'B',
    'Subject, lengths and time stamp of a NATS message',
    'bench/open-loop/nats-wire.ts',
  ),
} as const satisfies Record<string, Constant>;

/** CPU of a gateway's main and encoder threads, in cores, by updates a second: what arrives together shares the cost. */
export const INTAKE_CORES: readonly { readonly updates: number; readonly cores: number; readonly from: string }[] = [
  { updates: 0, cores: 0, from: 'idle' },
  { updates: 1_000, cores: 0.24, from: 'native-notes/measurements.md: batches in shared memory' },
  { updates: 24_000, cores: 0.3, from: 'native-notes/measurements.md: 200 clients on one topic' },
  { updates: 225_000, cores: 1.06, from: 'bench/results: ingest' },
];

/** Most that one gateway takes in, updates a second: the last of these. */
export const INTAKE_MAX = 225_000;
