import { expect, it } from 'vitest';
import { parseNatsServers } from '../../../src/protocol/nats-servers.js';

it.each([
  ['nats://a:4222', ['a:4222']],
  ['a', ['a']],
  ['a:4222, nats://b:4223/', ['a:4222', 'b:4223']],
  ['nats://[::1]:4222,::1', ['[::1]:4222', '::1']],
  ['nats://10.0.0.1:80', ['10.0.0.1:80']],
])('N8 R3 reads %s', (urls, hosts) => {
  expect(parseNatsServers(urls)).toEqual({ hosts, credentials: undefined, isTls: false });
});

it.each([
  ['nats://u:p@a:4222', { user: 'u', password: 'p' }],
  ['nats://u:@a', { user: 'u', password: '' }],
  ['nats://s3cret@a', { token: 's3cret' }],
  ['nats://me%40firm:p%2Cw%25%3A@a', { user: 'me@firm', password: 'p,w%:' }],
  ['nats://u:a:b@c@a', { user: 'u', password: 'a:b@c' }],
  ['nats://u:p/w?#@a', { user: 'u', password: 'p/w?#' }],
  ['nats://u:p@a,nats://u:p@b', { user: 'u', password: 'p' }],
  ['nats://u:p@a,nats://b', { user: 'u', password: 'p' }],
])('N8 R3 reads the credentials in %s', (urls, credentials) => {
  const servers = parseNatsServers(urls);
  expect(servers.credentials).toEqual(credentials);
  expect(servers.hosts.join()).not.toContain('@');
});

it('N8 R48 requires TLS with tls://', () => {
  expect(parseNatsServers('tls://u:p@a,TLS://b')).toMatchObject({ hosts: ['a', 'b'], isTls: true });
});

it.each([
  ['http://u:hunter2@a', 'must begin with nats:// or tls://'],
  ['wss://a', 'must begin with nats:// or tls://'],
  ['', 'must be host:port'],
  ['nats://', 'must be host:port'],
  ['nats://a,', 'must be host:port'],
  ['nats://u:hunter2@a:99999', 'must be host:port'],
  ['nats://u:hunter2@a/path', 'must be host:port'],
  ['nats://u:hunt,er2@a', 'must be host:port'],
  ['nats://:hunter2@a', 'lacks a user or token'],
  ['nats://@a', 'lacks a user or token'],
  ['nats://u:hunter2%@a', 'percent-encoded'],
  ['nats://u:hunter2@a,nats://u:hunter3@b', 'the same user and password'],
  ['tls://a,nats://b', 'tls:// for all its servers or for none'],
])('N8 O4 refuses %s, without showing a password', (urls, problem) => {
  expect(() => parseNatsServers(urls)).toThrow(problem);
  expect(() => parseNatsServers(urls)).toThrow(/^(?!.*hunt)/);
});
