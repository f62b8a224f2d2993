/** The demonstration page: one market, as a client of the gateway sees it, and the bytes that carry it. */
import { byId, setText } from '../dom.js';
import { count } from '../format.js';
import { Ladder } from './ladder.js';
import { Market } from './market.js';
import { QuotesTable } from './quotes-table.js';
import { type DemoSession, demoSession } from './session.js';
import { Tape } from './tape.js';
import { Wire } from './wire.js';

/** The first of the simulator's symbols. A gateway with fewer refuses the others, one by one. */
const SIMULATED = 'AAPL,MSFT,GOOGL,AMZN,TSLA,NVDA,META,BTC/USDT,ETH/USDT,SOL/USDT,JPM,V,MA,UNH,HD,PG'.split(',');
const RETRY_MS = 2_000;

const state = byId('state', HTMLElement);
const feed = byId('feed', HTMLElement);

async function firstSession(): Promise<DemoSession> {
  for (;;) {
    try {
      return await demoSession();
    } catch {
      show(state, 'No answer from the gateway; trying again', 'bad');
      await new Promise(resolve => setTimeout(resolve, RETRY_MS));
    }
  }
}

function show(pill: HTMLElement, text: string, tone: 'good' | 'warn' | 'bad'): void {
  pill.hidden = false;
  pill.dataset.tone = tone;
  setText(pill, text);
}

function run({ symbols, feed: source, calm_interval_ms: calmMs }: DemoSession): void {
  const ladder = new Ladder(byId('book', HTMLTableSectionElement));
  const tape = new Tape(byId('tape', HTMLTableSectionElement));
  const wire = new Wire(byId('formats', HTMLTableSectionElement));
  /** In a calm market the book of whatever moves is shown until the reader chooses one. */
  let isFollowing = calmMs !== null;
  const choose = (symbol: string) => {
    ladder.choose(symbol);
    quotes.choose(symbol);
  };
  const quotes = new QuotesTable(byId('quotes', HTMLTableSectionElement), symbol => {
    isFollowing = false;
    choose(symbol);
  });
  let changes = 0;
  new Market(symbols.length === 0 && source === 'simulator' ? SIMULATED : symbols, {
    frame: (format, data) => wire.frame(format, data),
    status: (format, { state: connection, feed: status, attempts }) => {
      wire.setOpen(format, connection === 'open');
      if (format !== 'json') return;
      quotes.setOld(connection !== 'open');
      if (connection === 'open') show(state, 'Connected', 'good');
      else
        show(state, attempts === 0 ? 'Connecting' : 'Connection lost; reconnecting', attempts === 0 ? 'warn' : 'bad');
      if (connection !== 'open') feed.hidden = true;
      else show(feed, `Feed ${status}`, status === 'live' ? 'good' : 'warn');
    },
    quote: (symbol, quote) => {
      changes++;
      quotes.update(symbol, quote);
      if (ladder.symbol === '') choose(symbol);
    },
    book: (symbol, book, seq, sent, own) => {
      ladder.update(symbol, { book, seq, sent, own });
      if (isFollowing && seq > 1) choose(symbol);
    },
    wrongBook: () => ladder.mismatch(),
    trade: trade => tape.add(trade),
    closed: reason => show(state, `Closed: ${reason}`, 'bad'),
  });
  setInterval(() => {
    setText(byId('quotes-note', HTMLElement), `${count(quotes.size)} symbols, ${count(changes)} changes`);
    setText(byId('tape-note', HTMLElement), `${count(tape.count)} so far`);
  }, 500);
}

function explain({ calm_interval_ms: calmMs, dashboard_port: port }: DemoSession): void {
  const notice = byId('notice', HTMLElement);
  if (calmMs !== null) {
    notice.hidden = false;
    notice.append(`A calm market: some prices move every ${count(calmMs / 1000)} s. For a busy one, start with `);
    notice.append(Object.assign(document.createElement('code'), { textContent: 'SIM_RATE=200 npm start' }), '.');
  }
  const dashboard = byId('dashboard', HTMLAnchorElement);
  if (port !== null) {
    dashboard.hidden = false;
    dashboard.href = `http://${location.hostname}:${port}/dashboard`;
  }
  const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}`;
  setText(
    byId('code', HTMLElement),
    [
      "import { MillraceClient } from 'millrace/client';",
      '',
      `const client = new MillraceClient({ url: '${url}', token });`,
      "for await (const { symbol, document } of client.quotes(['AAPL', 'MSFT'])) {",
      '  console.log(symbol, document.current_price);',
      '}',
    ].join('\n'),
  );
}

const session = await firstSession();
explain(session);
run(session);
