import { probe, RawClient, serve, until } from './probe.mjs';

await probe(
  'in the close handler the socket is gone: getTopics throws, the user data are still there',
  async ({ check, note }) => {
    /** @type {Record<string, string>} */
    const outcomes = {};
    const attempt = (name, call) => {
      try {
        outcomes[name] = `gives ${JSON.stringify(call())}`;
      } catch (error) {
        outcomes[name] = `throws: ${String(error.message).slice(0, 60)}`;
      }
    };
    let closed = 0;
    const { app, port, sockets } = serve({
      close(ws) {
        attempt('getTopics', () => ws.getTopics());
        attempt('isSubscribed', () => ws.isSubscribed('topic'));
        attempt('send', () => ws.send('x'));
        attempt('getBufferedAmount', () => ws.getBufferedAmount());
        attempt('getUserData', () => ws.getUserData().name);
        attempt('app.numSubscribers', () => app.numSubscribers('topic'));
        closed++;
      },
    });
    const ended = {
      'by the client': (_, client) => client.end(),
      'by ws.end': ws => ws.end(4000, 'bye'),
      'by ws.close': ws => ws.close(),
    };
    for (const [name, end] of Object.entries(ended)) {
      const client = await RawClient.open(port, { path: '/name' });
      const ws = sockets[0];
      ws.subscribe('topic');
      check(ws.getTopics().join() === 'topic', `open: getTopics gives ${JSON.stringify(ws.getTopics())}`);
      const before = closed;
      end(ws, client);
      await until(() => closed > before, 'the close handler runs');
      check(outcomes.getTopics.startsWith('throws'), `closed ${name}: getTopics ${outcomes.getTopics}`);
      check(outcomes.getUserData === 'gives "name"', `closed ${name}: getUserData ${outcomes.getUserData}`);
      check(
        outcomes['app.numSubscribers'] === 'gives 0',
        `closed ${name}: numSubscribers ${outcomes['app.numSubscribers']}`,
      );
      note(
        `isSubscribed ${outcomes.isSubscribed}; send ${outcomes.send}; getBufferedAmount ${outcomes.getBufferedAmount}`,
      );
      client.end();
    }
  },
);
