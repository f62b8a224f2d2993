// Preloaded into a gateway (`NODE_OPTIONS=--import <this>`): its threads fail as the file FAULT_FILE says, `<thread> <fault>`.
//   thread: `worker` (the first gateway worker), `encoder`, `journal` or `surveillance`
//   fault:  `throw`, `exit`, `hang` (an endless loop), once; `loop`: throws as long as the file is there;
//           `stuck`: in native code, until something opens the named pipe `<FAULT_FILE>.pipe` to write
// A gateway worker fails at a client's text message that has the member `"fault"`: `hang`, `catch` (an endless loop that catches
// everything), `stuck`, or `slow` (two seconds in native code).
// And an encoder hangs or exits on a message with the field `"poison":"hang"` or `"poison":"exit"`.
import { spawnSync } from 'node:child_process';
import { readFileSync, unlinkSync } from 'node:fs';
import { isMainThread, workerData } from 'node:worker_threads';

const POLL_MS = 20;
const file = process.env.FAULT_FILE;

function fail(fault) {
  if (fault === 'hang') for (;;);
  if (fault === 'exit') process.exit(3);
  while (fault === 'catch') {
    try {
      for (;;);
    } catch {
      // That is the point.
    }
  }
  if (fault === 'slow') spawnSync('sleep', ['2']);
  else if (fault === 'stuck') readFileSync(`${file}.pipe`);
  else throw new Error('the test wants it dead');
}

function requestedOf(thread) {
  try {
    const [wanted, fault] = readFileSync(file, 'utf8').trim().split(' ');
    return wanted === thread ? fault : undefined;
  } catch {
    // There is none most of the time.
    return undefined;
  }
}

function poll(thread) {
  const fault = requestedOf(thread);
  if (fault === undefined || fault === 'loop') return fault;
  try {
    unlinkSync(file);
    return fault;
  } catch {
    // Another thread of its kind was first.
    return undefined;
  }
}

/** An encoder's loop does not turn between batches, so it looks at the file when it decodes. */
function spoilEncoder() {
  const parse = JSON.parse;
  let polledAtMs = 0;
  JSON.parse = (text, ...rest) => {
    const poison = /"poison":"(\w+)"/.exec(text)?.[1];
    if (poison !== undefined) fail(poison);
    if (performance.now() - polledAtMs > POLL_MS) {
      polledAtMs = performance.now();
      const fault = poll('encoder');
      if (fault === 'throw' || fault === 'loop') queueMicrotask(() => fail(fault));
      else if (fault !== undefined) fail(fault);
    }
    return parse(text, ...rest);
  };
}

function spoilMessages() {
  const { decode } = TextDecoder.prototype;
  TextDecoder.prototype.decode = function (...bytes) {
    const text = decode.apply(this, bytes);
    const fault = /"fault":"(\w+)"/.exec(text)?.[1];
    if (fault !== undefined) fail(fault);
    return text;
  };
}

const isGatewayWorker = typeof workerData?.worker === 'number';
const isJournal = typeof workerData?.origin === 'string';
const isSurveillance = workerData?.thresholds !== undefined;
if (!isMainThread && !isGatewayWorker && !isJournal && !isSurveillance) spoilEncoder();
if (isGatewayWorker) spoilMessages();
if (isJournal) failWhenTold('journal');
if (isSurveillance) failWhenTold('surveillance');
if (isGatewayWorker && workerData.worker === 0) failWhenTold('worker');

function failWhenTold(thread) {
  setInterval(() => {
    const fault = poll(thread);
    if (fault !== undefined) fail(fault);
  }, POLL_MS).unref();
}
