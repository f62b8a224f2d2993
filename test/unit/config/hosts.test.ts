import { expect, it } from 'vitest';
import { hostNameOf, isFixedHost, isListedHost, isLoopback, listedHost } from '../../../src/config/hosts.js';
import { listedOrigin } from '../../../src/config/origins.js';
import { isOriginAllowed } from '../../../src/gateway/edge/page-origin.js';

it.each([
  ['feed.example', 'feed.example'],
  ['Feed.Example:8080', 'feed.example'],
  ['feed.example.:8080', 'feed.example'],
  ['192.0.2.1:80', '192.0.2.1'],
  ['[2001:DB8::1]:80', '2001:db8::1'],
  ['[2001:db8:0:0::1]', '2001:db8::1'],
  ['bücher.example', 'xn--bcher-kva.example'],
  ['feed.example/', ''],
  ['user@feed.example', ''],
  ['feed example', ''],
  ['', ''],
])('J11: the name in %j is %j', (host, name) => {
  expect(hostNameOf(host)).toBe(name);
});

it('J11: an address and the machine’s own name cannot be rebound, any other can', () => {
  for (const name of ['127.0.0.1', '192.0.2.1', '::1', 'localhost', 'a.localhost'])
    expect(isFixedHost(name)).toBe(true);
  for (const name of ['', 'evil.example', '127.0.0.1.evil.example', 'localhost.evil.example', 'notlocalhost', '1.2.3'])
    expect(isFixedHost(name), name).toBe(false);
});

it('J11: a loopback address is one whatever its spelling', () => {
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', '[::1]', 'localhost', 'LOCALHOST'])
    expect(isLoopback(host)).toBe(true);
  for (const host of ['0.0.0.0', '::', '192.0.2.1', '::2', 'gateway', '127.0.0.1.example', ''])
    expect(isLoopback(host), host).toBe(false);
});

it('J11: a listed host counts with any port, or with the one that the list names', () => {
  const allowed = ['feed.example', 'desk.example:8443', '2001:db8::1'];
  for (const host of ['feed.example', 'FEED.example:1', 'feed.example.', 'desk.example:8443', '[2001:db8::1]:80'])
    expect(isListedHost(host, allowed), host).toBe(true);
  for (const host of [
    '',
    'desk.example',
    'desk.example:80',
    'evil.example',
    'xfeed.example',
    'feed.example.evil.example',
  ])
    expect(isListedHost(host, allowed), host).toBe(false);
  expect(isListedHost('anything', ['*'])).toBe(true);
  expect(isListedHost('feed.example', [])).toBe(false);
});

it.each<[string, string, string, readonly string[], boolean]>([
  ['a page by number', 'http://192.0.2.1:8080', '192.0.2.1:8080', [], true],
  ['a page of this machine', 'http://localhost:8080', 'localhost:8080', [], true],
  ['a page whose name a certificate proved', 'https://feed.example', 'feed.example', [], true],
  ['a page whose name may be rebound', 'http://evil.example:8080', 'evil.example:8080', [], false],
  ['the same of a listed host', 'http://desk.example:8080', 'desk.example:8080', ['desk.example'], true],
  ['a page of another host', 'http://192.0.2.2:8080', '192.0.2.1:8080', ['*'], false],
])('J11: %s (%s at %s)', (_what, origin, host, hosts, isAllowed) => {
  expect(isOriginAllowed(origin, host, [], hosts)).toBe(isAllowed);
});

it.each([
  ['feed.example.com', 'feed.example.com', true],
  ['Feed.Example.com', 'feed.example.com', true],
  ['feed.example.com', 'FEED.example.com.', true],
  ['feed.example.com:443', 'feed.example.com', true],
  ['feed.example.com', 'feed.example.com:443', true],
  ['feed.example.com:80', 'feed.example.com', true],
  ['feed.example.com:8443', 'feed.example.com', false],
  ['xn--bcher-kva.example', 'bücher.example', true],
  ['bücher.example:8443', 'xn--bcher-kva.example:8443', true],
  ['2001:DB8:0::1', '[2001:db8::1]:8443', true],
  ['[2001:db8::1]:8443', '[2001:DB8:0:0::1]:8443', true],
  ['[2001:db8::1]:8443', '[2001:db8::1]', false],
])('P4 ALLOWED_HOSTS=%s and Host: %s: %j', (item, host, isListed) => {
  expect(isListedHost(host, [listedHost(item) ?? ''])).toBe(isListed);
});

it.each(['https://feed.example', 'feed.example/', '*.example', 'a b', 'feed.example:port', 'user@feed.example', ':80'])(
  'P4 ALLOWED_HOSTS=%s could match no request',
  item => {
    expect(listedHost(item)).toBeUndefined();
  },
);

it.each([
  ['https://app.example.com/', 'https://app.example.com'],
  ['HTTPS://App.Example.com', 'https://app.example.com'],
  ['https://app.example.com:443', 'https://app.example.com'],
  ['http://app.example.com:80', 'http://app.example.com'],
  ['https://app.example.com:8443', 'https://app.example.com:8443'],
  ['https://app.example.com.', 'https://app.example.com'],
  ['https://bücher.example', 'https://xn--bcher-kva.example'],
  ['http://[2001:DB8:0::1]:80', 'http://[2001:db8::1]'],
  ['chrome-extension://abcdefgh', 'chrome-extension://abcdefgh'],
  ['null', 'null'],
  ['*', '*'],
])('P4 ALLOWED_ORIGINS=%s is %s', (item, origin) => {
  expect(listedOrigin(item)).toBe(origin);
});

it.each([
  'app.example.com',
  'app.example.com:443',
  '//app.example.com',
  'https://app.example.com/path',
  'https://app.example.com?x',
  'https://user@app.example.com',
  'https://*.example.com',
  'wss://feed.example.com',
  'file:///index.html',
  'https://',
  'https://a b',
])('P4 ALLOWED_ORIGINS=%s could match no page', item => {
  expect(listedOrigin(item)).toBeUndefined();
});

it.each<[string, string, readonly string[], boolean]>([
  ['https://feed.example.com', 'feed.example.com:443', [], true],
  ['https://feed.example.com', 'Feed.Example.com', [], true],
  ['https://feed.example.com', 'feed.example.com.', [], true],
  ['https://feed.example.com:8443', 'feed.example.com:8443', [], true],
  ['https://feed.example.com:8443', 'feed.example.com', [], false],
  ['http://192.0.2.1', '192.0.2.1:80', [], true],
  ['http://192.0.2.1', '192.0.2.1:443', [], false],
  ['http://[2001:db8::1]:8080', '[2001:DB8:0::1]:8080', [], true],
  ['https://xn--bcher-kva.example', 'bücher.example', [], true],
  ['https://app.example.com', 'feed.example.com', ['https://app.example.com'], true],
  ['https://app.example.com:443', 'feed.example.com', ['https://app.example.com'], true],
  ['http://app.example.com', 'feed.example.com', ['https://app.example.com'], false],
  ['https://app.example.com.evil.example', 'feed.example.com', ['https://app.example.com'], false],
  ['null', 'null', [], false],
  ['null', 'feed.example.com', ['null'], true],
  ['garbage', 'garbage', [], false],
  ['https://feed.example.com', 'feed.example.com/x', [], false],
])('P4 a page of %s at Host: %s with ALLOWED_ORIGINS=%j: %j', (origin, host, origins, isAllowed) => {
  expect(isOriginAllowed(origin, host, origins, [])).toBe(isAllowed);
});
