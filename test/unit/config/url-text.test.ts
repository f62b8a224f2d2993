import { expect, it } from 'vitest';
import { readConfig } from '../../../src/config/environment.js';
import { withoutSecrets } from '../../../src/config/url-text.js';

it.each([
  ['nats://127.0.0.1:4222', 'nats://127.0.0.1:4222'],
  ['a:4222,b:4222', 'a:4222,b:4222'],
  ['nats://user:hunter2@host:4222', 'nats://host:4222'],
  ['user:hunter2@host', 'host'],
  ['nats://hunter2@host', 'nats://host'],
  ['nats://u:hunter2@a, tls://v:hunter2@b:4222', 'nats://a, tls://b:4222'],
  ['nats://u:hunter2@a,nats://b', 'nats://a,nats://b'],
  // A password may hold anything, whether or not that makes a URL.
  ['nats://u:hun/ter2@host', 'nats://host'],
  ['nats://u:hun@ter2@host', 'nats://host'],
  ['nats://u:hun,ter2@host', 'nats://host'],
  ['nats://u:hun?ter2#@host', 'nats://host'],
  ['nats://u:hun ter2@host', 'nats://host'],
  ['nats://u:hun://ter2@host', 'nats://host'],
  ['https://host/keys?code=hunter2', 'https://host/keys?***'],
  ['https://host/keys#hunter2', 'https://host/keys?***'],
  ['wss://u:hunter2@host/ws?token=hunter2', 'wss://host/ws?***'],
])('J11: of %s only %s is shown', (url, shown) => {
  expect(withoutSecrets(url)).toBe(shown);
});

it('J11: an address that is refused shows no password', () => {
  const env = { FEED: 'nats', NATS_URL: 'nats://u:hunter2@a', NATS_BACKUP_URL: 'nats://u:hunter2@a', PORT: 'x' };
  expect(() => readConfig(env)).toThrow(/^(?!.*hunter2)/s);
});
