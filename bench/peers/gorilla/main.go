// A hub after gorilla/websocket's chat example, with PreparedMessage. See README.md.
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
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const (
	commandBytesMax = 256 << 20
	queueWindows    = 4
	writeWait       = 10 * time.Second
)

type command struct {
	Type   string     `json:"type"`
	Format string     `json:"format"`
	Frames [][]string `json:"frames"`
	Layout struct {
		Universe int `json:"universe"`
	} `json:"layout"`
	Pace    pace     `json:"pace"`
	Symbols []string `json:"symbols"`
}

type client struct {
	conn *websocket.Conn
	send chan *websocket.PreparedMessage
}

type topic struct {
	sync.RWMutex
	clients map[*client]struct{}
}

type hub struct {
	topics      map[string]*topic
	order       []*topic
	payloads    [][][]byte
	messageType int
	queue       int
	upgrader    websocket.Upgrader
}

func newHub(c *command) (*hub, error) {
	h := &hub{topics: map[string]*topic{}, messageType: websocket.TextMessage, queue: queueWindows * c.Pace.WindowUpdates}
	h.upgrader.WriteBufferPool = &sync.Pool{}
	if c.Format == "msgpack" {
		h.messageType = websocket.BinaryMessage
	}
	for i, symbol := range c.Symbols {
		t := &topic{clients: map[*client]struct{}{}}
		h.topics[symbol] = t
		h.order = append(h.order, t)
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
		h.payloads = append(h.payloads, cycle)
	}
	return h, nil
}

// publish sends the update to every client of its topic; one that does not keep up is closed.
func (h *hub) publish(update int) {
	symbol := update % len(h.order)
	cycle := h.payloads[symbol]
	message, err := websocket.NewPreparedMessage(h.messageType, cycle[update/len(h.order)%len(cycle)])
	if err != nil {
		log.Fatal(err)
	}
	t := h.order[symbol]
	t.RLock()
	defer t.RUnlock()
	for c := range t.clients {
		select {
		case c.send <- message:
		default:
			c.conn.Close()
		}
	}
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wanted := strings.Split(r.URL.Query().Get("symbols"), ",")
	c := &client{send: make(chan *websocket.PreparedMessage, h.queue)}
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c.conn = conn
	for _, symbol := range wanted {
		if t := h.topics[symbol]; t != nil {
			t.Lock()
			t.clients[c] = struct{}{}
			t.Unlock()
		}
	}
	done := make(chan struct{})
	go c.write(done)
	for {
		if _, _, err := conn.NextReader(); err != nil {
			break
		}
	}
	for _, symbol := range wanted {
		if t := h.topics[symbol]; t != nil {
			t.Lock()
			delete(t.clients, c)
			t.Unlock()
		}
	}
	close(done)
	conn.Close()
}

func (c *client) write(done <-chan struct{}) {
	for {
		select {
		case message := <-c.send:
			c.conn.SetWriteDeadline(time.Now().Add(writeWait))
			if err := c.conn.WritePreparedMessage(message); err != nil {
				c.conn.Close()
				return
			}
		case <-done:
			return
		}
	}
}

func answer(value interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(line))
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func start(c *command) (*pacer, map[string]interface{}, error) {
	h, err := newHub(c)
	if err != nil {
		return nil, nil, err
	}
	clients, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	reports, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	p := newPacer(c.Pace, h.publish)
	go p.listen(reports)
	go func() { log.Fatal(http.Serve(clients, h)) }()
	started := map[string]interface{}{"type": "started", "port": portOf(clients), "progressPort": portOf(reports)}
	return p, started, nil
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
