/** Frames of the protocol with the members that matter to a client's chain, for its tests. */

export const quotesSnapshot = (seqs: Readonly<Record<string, number>>, price = 100, epoch = 'e1') => ({
  type: 'quotes_patch',
  snapshot: true,
  epoch,
  seqs,
  operations: Object.keys(seqs).map(symbol => ({
    op: 'add',
    path: `/quotes/${symbol.replaceAll('/', '~1')}`,
    value: { symbol, current_price: price },
  })),
});

export const quotesDelta = (symbol: string, prevSeq: number, price: number, epoch = 'e1') => ({
  type: 'quotes_patch',
  symbol,
  epoch,
  prev_seq: prevSeq,
  seq: prevSeq + 1,
  operations: [{ op: 'replace', path: `/quotes/${symbol}/current_price`, value: price }],
});

export const trade = (symbol: string, prevSeq: number, epoch = 'e1') => ({
  type: 'trade_executed',
  trade_id: `t${prevSeq + 1}`,
  symbol,
  price: '1.50',
  quantity: '2',
  executed_at: '2026-01-02T03:04:05Z',
  epoch,
  prev_seq: prevSeq,
  seq: prevSeq + 1,
});

export const order = (user: string, prevSeq: number) => ({
  type: 'order_update',
  action: 'created',
  order_id: `o${prevSeq + 1}`,
  user_id: user,
  symbol: 'AAPL',
  side: 'buy',
  status: 'open',
  quantity: '1',
  filled_quantity: '0',
  price: '1',
  timestamp: '2026-01-02T03:04:05Z',
  epoch: 'e1',
  prev_seq: prevSeq,
  seq: prevSeq + 1,
});

export const alert = (prevSeq: number, channel = 'alerts', type = 'alert') => ({
  type,
  timestamp: '2026-01-02T03:04:05Z',
  data: { n: prevSeq + 1 },
  channel,
  epoch: 'e1',
  prev_seq: prevSeq,
  seq: prevSeq + 1,
});

export const roomMessage = (room: string, prevSeq: number, data: unknown = 'hello') => ({
  type: 'room_message',
  room,
  from: 'bob',
  data,
  timestamp: '2026-01-02T03:04:05Z',
  epoch: 'e1',
  prev_seq: prevSeq,
  seq: prevSeq + 1,
});
