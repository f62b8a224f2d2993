/**
 * A client on the standard WebSocket interface, which ws, Node and browsers share. It holds what it is sent the way any
 * application would, and reports that.
 */

/** Connects, sends the commands, and reports what comes of it. */
export function follow({ WebSocket, url, protocols, codec, commands, report }) {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = 'arraybuffer';
  const held = newHeld();
  socket.onopen = () => {
    report({ event: 'open', protocol: socket.protocol, extensions: socket.extensions });
    for (const command of commands) socket.send(codec === undefined ? JSON.stringify(command) : codec.pack(command));
  };
  socket.onmessage = ({ data }) => {
    const isText = typeof data === 'string';
    if (isText !== (codec === undefined)) held.broken.push(`a ${isText ? 'text' : 'binary'} frame`);
    hold(held, isText ? JSON.parse(data) : codec.unpack(new Uint8Array(data)));
    report({ event: 'held', held });
  };
  socket.onclose = ({ code, reason }) => report({ event: 'closed', code, reason });
  return socket;
}

function newHeld() {
  return { quotes: {}, books: {}, trades: [], answers: [], places: {}, deltas: 0, broken: [] };
}

function hold(held, frame) {
  switch (frame.type) {
    case 'quotes_patch':
      if (frame.snapshot) for (const [symbol, seq] of Object.entries(frame.seqs)) held.places[`quotes:${symbol}`] = seq;
      else step(held, `quotes:${frame.symbol}`, frame);
      return patch({ quotes: held.quotes }, frame.operations);
    case 'depth_patch':
      if (!frame.snapshot) step(held, `depth:${frame.symbol}`, frame);
      held.places[`depth:${frame.symbol}`] = frame.seq;
      held.books[frame.symbol] ??= {};
      return patch(held.books[frame.symbol], frame.operations);
    case 'trade_executed':
      held.trades.push(frame.trade_id);
      return undefined;
    case 'heartbeat':
      return undefined;
    default:
      held.answers.push(frame.type);
  }
}

/** A delta follows what is held. */
function step(held, topic, { prev_seq: before, seq }) {
  if (held.places[topic] !== before) held.broken.push(`${topic}: ${before} after ${held.places[topic]}`);
  held.places[topic] = seq;
  held.deltas++;
}

/** RFC 6902, as far as the protocol uses it. */
function patch(document, operations) {
  for (const { op, path, value } of operations) {
    const names = path.split('/').slice(1);
    const last = unescaped(names.pop());
    let parent = document;
    for (const name of names) parent = parent[unescaped(name)];
    if (op === 'remove') delete parent[last];
    else parent[last] = value;
  }
}

/** RFC 6901 */
const unescaped = name => name.replaceAll('~1', '/').replaceAll('~0', '~');
