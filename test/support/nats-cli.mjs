#!/usr/bin/env node
// Stands in for the NATS command line where it is not installed: `nats pub <subject> <body> [-H <name>:<value>]…`, by the NATS
// text protocol. Anything else is an error, so that a command it does not know is noticed.
import { connect } from 'node:net';

const [command, subject, body, ...rest] = process.argv.slice(2);
if (command !== 'pub' || body === undefined) fail('usage: nats pub <subject> <body> [-H <name>:<value>]…');
let head = '';
for (let i = 0; i < rest.length; i += 2) {
  const [, name, value] = /^([^:]+):(.*)$/.exec(rest[i + 1] ?? '') ?? fail(`not a header: ${rest[i + 1]}`);
  if (rest[i] !== '-H') fail(`unknown flag: ${rest[i]}`);
  head += `${name.trim()}: ${value.trim()}\r\n`;
}
const payload = Buffer.from(body);
const headers = Buffer.from(head === '' ? '' : `NATS/1.0\r\n${head}\r\n`);
const size = headers.length + payload.length;
const frame = head === '' ? `PUB ${subject} ${size}` : `HPUB ${subject} ${headers.length} ${size}`;

const { hostname, port } = new URL(process.env.NATS_URL ?? '');
const socket = connect({ host: hostname, port: Number(port) });
socket.write('CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n');
socket.write(Buffer.concat([Buffer.from(`${frame}\r\n`), headers, payload, Buffer.from('\r\nPING\r\n')]));
let received = '';
socket.on('data', chunk => {
  received += chunk;
  if (received.includes('-ERR')) fail(received);
  if (received.includes('PONG\r\n')) socket.end();
});
socket.on('error', error => fail(error.message));

function fail(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
