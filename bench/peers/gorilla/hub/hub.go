// Package hub is gorilla/websocket's chat example with topics and PreparedMessage: a goroutine that writes and a queue for
// each client.
package hub

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

const writeWait = 10 * time.Second

type client struct {
	conn *websocket.Conn
	send chan *websocket.PreparedMessage
}

// Topic is what clients ask for in `?symbols=`.
type Topic struct {
	sync.RWMutex
	clients map[*client]struct{}
}

// Hub serves WebSocket clients.
type Hub struct {
	topics   map[string]*Topic
	queue    int
	upgrader websocket.Upgrader
}

// New makes a hub with these topics whose clients' queues hold so many messages.
func New(topics []string, queue int) *Hub {
	h := &Hub{topics: map[string]*Topic{}, queue: queue}
	h.upgrader.WriteBufferPool = &sync.Pool{}
	for _, name := range topics {
		h.topics[name] = &Topic{clients: map[*client]struct{}{}}
	}
	return h
}

// Topic is nil where there is none of that name.
func (h *Hub) Topic(name string) *Topic { return h.topics[name] }

// Listen serves at a free port of the loopback interface, which it returns; a failure of the server comes later, over failed.
func (h *Hub) Listen(failed chan<- error) (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	go func() { failed <- http.Serve(listener, h) }()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// Publish sends the message to every client of the topic; one that does not keep up is closed.
func (t *Topic) Publish(messageType int, payload []byte) error {
	message, err := websocket.NewPreparedMessage(messageType, payload)
	if err != nil {
		return err
	}
	t.RLock()
	defer t.RUnlock()
	for c := range t.clients {
		select {
		case c.send <- message:
		default:
			c.conn.Close()
		}
	}
	return nil
}

func (t *Topic) add(c *client) {
	t.Lock()
	defer t.Unlock()
	t.clients[c] = struct{}{}
}

func (t *Topic) remove(c *client) {
	t.Lock()
	defer t.Unlock()
	delete(t.clients, c)
}

func (h *Hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var wanted []*Topic
	for _, symbol := range strings.Split(r.URL.Query().Get("symbols"), ",") {
		if t := h.topics[symbol]; t != nil {
			wanted = append(wanted, t)
		}
	}
	c := &client{send: make(chan *websocket.PreparedMessage, h.queue)}
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c.conn = conn
	for _, t := range wanted {
		t.add(c)
	}
	done := make(chan struct{})
	go c.write(done)
	for {
		if _, _, err := conn.NextReader(); err != nil {
			break
		}
	}
	for _, t := range wanted {
		t.remove(c)
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
