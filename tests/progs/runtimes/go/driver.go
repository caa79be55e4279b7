// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// upDriver is a database whose statements are requests to upstream, so that database/sql's pool is at work.
type upDriver struct{}
type upConn struct {
	net.Conn
	in *bufio.Reader
}
type upStmt struct {
	c  *upConn
	id string
}

func (upDriver) Open(string) (driver.Conn, error) {
	c, err := net.Dial("tcp", upstream)
	if err != nil {
		return nil, err
	}
	return &upConn{c, bufio.NewReader(c)}, nil
}

func (c *upConn) Prepare(id string) (driver.Stmt, error) { return &upStmt{c, id}, nil }
func (c *upConn) Begin() (driver.Tx, error)              { return nil, errors.New("no transactions") }
func (s *upStmt) Close() error                           { return nil }
func (s *upStmt) NumInput() int                          { return 0 }
func (s *upStmt) Query([]driver.Value) (driver.Rows, error) {
	return nil, errors.New("no queries")
}

func (s *upStmt) Exec([]driver.Value) (driver.Result, error) {
	if _, err := fmt.Fprintf(s.c, "GET /up?id=%s HTTP/1.1\r\nHost: up\r\n\r\n", s.id); err != nil {
		return nil, err
	}
	r, err := http.ReadResponse(s.c.in, nil)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return driver.RowsAffected(1), err
}
