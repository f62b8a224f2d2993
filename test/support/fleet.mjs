// A fleet of SDK clients in a process of its own, as applications run them; what became of each is told to the parent.
//   node fleet.mjs <url> <token> <clients> <symbols, separated by commas>
// Messages to the parent: {type:'up'} when all clients are served; {type:'report', …} as answer to 'report'.
import { WebSocket } from 'ws';
import { MillraceClient } from '../../dist/client/index.js';

const [url, token, count, symbolList] = process.argv.slice(2);
const symbols = symbolList.split(',');
/** Handshakes at a time: the machine is small. */
const OPENING_MAX = 20;

class Member {
  lastTrade = undefined;
  /** @type {{ downMs: number, promisedMs: number, backMs: number | undefined, refusals: string[] }[]} */
  absences = [];
  /** @type {string[]} */
  faults = [];

  /** @param {number} index */
  constructor(index) {
    this.symbol = symbols[index % symbols.length];
    this.client = new MillraceClient({ url, token, WebSocket });
    this.client.on('status', status => this.#status(status));
    this.client.on('error', error => this.#error(error));
    const trades = this.client.trades([this.symbol]);
    trades.on('event', ({ message }) => this.#trade(Number(message.trade_id)));
    trades.on('gap', gap => this.faults.push(`gap ${JSON.stringify(gap)}`));
    this.quotes = this.client.quotes([this.symbol]);
    this.ready = Promise.all([trades.ready, this.quotes.ready]);
  }

  #trade(id) {
    if (this.lastTrade !== undefined && id !== this.lastTrade + 1) {
      this.faults.push(`${this.symbol}: trade ${id} behind ${this.lastTrade}`);
    }
    this.lastTrade = id;
  }

  #status({ state, reconnectInMs }) {
    const absence = this.absences.at(-1);
    const isAway = absence !== undefined && absence.backMs === undefined;
    if (state === 'waiting' && !isAway) {
      this.absences.push({ downMs: Date.now(), promisedMs: reconnectInMs, backMs: undefined, refusals: [] });
    } else if (state === 'open' && isAway) {
      absence.backMs = Date.now();
    }
  }

  #error({ code, message }) {
    const absence = this.absences.at(-1);
    if (absence !== undefined && absence.backMs === undefined) absence.refusals.push(`${code}: ${message}`);
    else this.faults.push(`${code}: ${message}`);
  }
}

const members = [];
const open = async () => {
  while (members.length < Number(count)) {
    const member = new Member(members.length);
    members.push(member);
    await member.ready;
  }
};

process.on('message', request => {
  if (request === 'report') {
    process.send({
      type: 'report',
      members: members.map(({ symbol, lastTrade, absences, faults, quotes, client }) => ({
        symbol,
        lastTrade,
        absences,
        faults: faults.slice(0, 5),
        state: client.status.state,
        price: quotes.get(symbol)?.current_price,
      })),
    });
  } else if (request === 'end') {
    for (const { client } of members) client.close();
    process.disconnect();
  }
});
await Promise.all(Array.from({ length: OPENING_MAX }, open));
process.send({ type: 'up' });
