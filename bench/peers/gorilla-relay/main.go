// NATS in, gorilla/websocket out. See README.md.
//
// The benchmark says one line of JSON on stdin and gets the port in one line on stdout.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"../gorilla/hub"
	"github.com/gorilla/websocket"
	"github.com/nats-io/nats.go"
)

const (
	subjectPrefix = "md.quotes."
	commandMax    = 1 << 20
	// The chat example's queue. A client that is so far behind is closed.
	queueMessages = 256
)

type command struct {
	Type    string   `json:"type"`
	NatsURL string   `json:"natsUrl"`
	Symbols []string `json:"symbols"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<16), commandMax)
	if !lines.Scan() {
		log.Fatal("no command")
	}
	var c command
	if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
		log.Fatal(err)
	}
	h := hub.New(c.Symbols, queueMessages)
	failed := make(chan error)
	port, err := h.Listen(failed)
	if err != nil {
		log.Fatal(err)
	}
	connection, err := nats.Connect(c.NatsURL, nats.Name("gorilla-relay"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = connection.Subscribe(subjectPrefix+"*", func(message *nats.Msg) {
		topic := h.Topic(strings.TrimPrefix(message.Subject, subjectPrefix))
		if topic == nil {
			return
		}
		if err := topic.Publish(websocket.TextMessage, message.Data); err != nil {
			log.Fatal(err)
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := connection.Flush(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("{\"type\":\"started\",\"port\":%d}\n", port)
	log.Fatal(<-failed)
}
