import { expect, it } from 'vitest';
import { hostNameOf, isFixedHost, isListedHost, isLoopback } from '../../../src/config/hosts.js';
import { isOriginAllowed } from '../../../src/gateway/edge/upgrade-request.js';

it.each([
  ['feed.example', 'feed.example'],
  ['Feed.Example:8080', 'feed.example'],
  ['feed.example.:8080', 'feed.example'],
  ['192.0.2.1:80', '192.0.2.1'],
  ['[2001:DB8::1]:80', '2001:db8::1'],
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
