// SPDX-License-Identifier: Apache-2.0

// payment: writes the payment down and debits the customer's account.
package main

import (
	"database/sql"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"regexp"
	"strings"

	_ "github.com/lib/pq"
)

var (
	db      *sql.DB
	orderID = regexp.MustCompile(`^o-[0-9]{6}$`)
	truth   = os.Getenv("SHOP_TRUTH") == "1"
)

// alias makes the order visible in the statement's text, for tests that must know whose call it is.
func alias(order string) string {
	if !truth {
		return ""
	}
	return " AS " + strings.Replace(order, "-", "_", 1)
}

func charge(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Account int   `json:"account"`
		Cents   int64 `json:"cents"`
	}
	order := r.URL.Query().Get("order")
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || !orderID.MatchString(order) {
		http.Error(w, "bad charge", http.StatusBadRequest)
		return
	}
	_, err := db.ExecContext(r.Context(),
		"INSERT INTO payments"+alias(order)+" (order_id, account, cents) VALUES ($1, $2, $3)",
		order, body.Account, body.Cents)
	if err == nil {
		_, err = db.ExecContext(r.Context(),
			"UPDATE accounts"+alias(order)+" SET cents = cents - $1 WHERE id = $2",
			body.Cents, body.Account)
	}
	if err != nil {
		log.Printf("order %s: %v", order, err)
		http.Error(w, "not charged", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]string{"order": order, "status": "paid"})
}

func main() {
	var err error
	if db, err = sql.Open("postgres", os.Getenv("DATABASE_URL")); err != nil {
		log.Fatal(err)
	}
	db.SetMaxIdleConns(64)
	http.HandleFunc("/charge", charge)
	listen := os.Getenv("LISTEN")
	if listen == "" {
		listen = "127.0.0.1"
	}
	log.Fatal(http.ListenAndServe(listen+":"+os.Getenv("PORT"), nil))
}
