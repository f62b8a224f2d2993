/** The parts of a topic, `<stream>:<name>`, and of what is written like one: a source, an entitlement. A name may hold colons. */

/** Without a colon all of it is the stream, and the name is ''. */
export function topicParts(topic: string): [stream: string, name: string] {
  const colon = topic.indexOf(':');
  return colon < 0 ? [topic, ''] : [topic.slice(0, colon), topic.slice(colon + 1)];
}

/** The second part alone. */
export function topicName(topic: string): string {
  return topic.slice(topic.indexOf(':') + 1);
}
