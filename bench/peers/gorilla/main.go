// A hub of gorilla/websocket that publishes by itself, paced like every contender. See README.md.
//
// The benchmark talks to it in lines of JSON: start, run, stop on stdin; started, running, stopped on stdout.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"

	"./hub"
	"github.com/gorilla/websocket"
)

const (
	commandBytesMax = 256 << 20
	queueWindows    = 4
)

type command struct {
	Type    string     `json:"type"`
	Format  string     `json:"format"`
	Frames  [][]string `json:"frames"`
	Pace    pace       `json:"pace"`
	Symbols []string   `json:"symbols"`
}

type source struct {
	topics      []*hub.Topic
	payloads    [][][]byte
	messageType int
}

func newSource(c *command, h *hub.Hub) (*source, error) {
	s := &source{messageType: websocket.TextMessage}
	if c.Format == "msgpack" {
		s.messageType = websocket.BinaryMessage
	}
	for i, symbol := range c.Symbols {
		s.topics = append(s.topics, h.Topic(symbol))
		cycle := make([][]byte, len(c.Frames[i]))
		for tick, frame := range c.Frames[i] {
			cycle[tick] = []byte(frame)
			if c.Format == "msgpack" {
				bytes, err := base64.StdEncoding.DecodeString(frame)
				if err != nil {
					return nil, err
				}
				cycle[tick] = bytes
			}
		}
		s.payloads = append(s.payloads, cycle)
	}
	return s, nil
}

func (s *source) publish(update int) {
	symbol := update % len(s.topics)
	cycle := s.payloads[symbol]
	if err := s.topics[symbol].Publish(s.messageType, cycle[update/len(s.topics)%len(cycle)]); err != nil {
		log.Fatal(err)
	}
}

func answer(value interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

func start(c *command) (*pacer, map[string]interface{}, error) {
	h := hub.New(c.Symbols, queueWindows*c.Pace.WindowUpdates)
	s, err := newSource(c, h)
	if err != nil {
		return nil, nil, err
	}
	reports, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	failed := make(chan error)
	go func() { log.Fatal(<-failed) }()
	port, err := h.Listen(failed)
	if err != nil {
		return nil, nil, err
	}
	p := newPacer(c.Pace, s.publish)
	go p.listen(reports)
	progressPort := reports.Addr().(*net.TCPAddr).Port
	return p, map[string]interface{}{"type": "started", "port": port, "progressPort": progressPort}, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), commandBytesMax)
	var p *pacer
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatal(err)
		}
		switch c.Type {
		case "start":
			started, said, err := start(&c)
			if err != nil {
				log.Fatal(err)
			}
			p = started
			answer(said)
		case "run":
			go p.run()
			answer(map[string]string{"type": "running"})
		case "stop":
			updates, owed, givenUp := p.stop()
			answer(map[string]interface{}{"type": "stopped", "updates": updates, "owed": owed, "givenUp": givenUp})
		default:
			log.Fatalf("unknown command %q", c.Type)
		}
	}
}
