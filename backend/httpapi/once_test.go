package httpapi

import (
	"net/http"
	"sync"
	"testing"
)

func TestOnce_repeatedRequests(t *testing.T) {
	w := newWorld(t)
	key := []string{"Idempotency-Key", "k1"}
	first := w.as("mia", "POST", "/api/clients", `{"name":"Acme","country":"DE"}`, key...).is(http.StatusCreated)
	if first.Header().Get("Idempotency-Replayed") != "" {
		t.Error("the first is called a replay")
	}
	again := w.as("mia", "POST", "/api/clients", `{ "country": "DE", "name": "Acme" }`, key...).is(http.StatusCreated)
	if again.Body.String() != first.Body.String() || again.Header().Get("Idempotency-Replayed") != "true" || again.Header().Get("Location") != first.Header().Get("Location") {
		t.Errorf("replayed %v\n%s\nfirst\n%s", again.Header(), again.Body, first.Body)
	}
	w.as("mia", "POST", "/api/clients", `{"name":"Other"}`, key...).is(http.StatusUnprocessableEntity, "idempotency_key_reused")
	w.as("mia", "POST", "/api/vendors", `{"name":"Acme","country":"DE"}`, key...).is(http.StatusUnprocessableEntity, "invalid_body")
	w.as("mia", "POST", "/api/vendors", `{"name":"Acme"}`, key...).is(http.StatusUnprocessableEntity, "idempotency_key_reused")
	// Another's key of the same name is another key.
	w.as("max", "POST", "/api/clients", `{"name":"Max's"}`, key...).is(http.StatusCreated)
	if n := w.value("select count(*) from client_companies"); n != "2" {
		t.Errorf("%s clients", n)
	}
	// It is rendered as it is now.
	id := first.string("id")
	w.as("mia", "PATCH", "/api/clients/"+id, `{"notes":"n"}`).is(http.StatusOK)
	w.as("mia", "POST", "/api/clients", `{"name":"Acme","country":"DE"}`, key...).is(http.StatusCreated).has("notes", "n", "version", "2")
	w.as("mia", "DELETE", "/api/clients/"+id, nil).is(http.StatusOK)
	w.as("mia", "POST", "/api/clients", `{"name":"Acme","country":"DE"}`, key...).is(http.StatusNotFound, "not_found")

	// What failed is not remembered.
	w.as("mia", "POST", "/api/contacts", `{"firstName":"A","lastName":"B","clientCompanyId":"`+id+`"}`, "Idempotency-Key", "k2").is(http.StatusUnprocessableEntity, "reference_not_found")
	w.as("mia", "POST", "/api/clients/"+id+"/restore", nil).is(http.StatusOK)
	w.as("mia", "POST", "/api/contacts", `{"firstName":"A","lastName":"B","clientCompanyId":"`+id+`"}`, "Idempotency-Key", "k2").is(http.StatusCreated)

	// Restores.
	deletion := w.as("mia", "DELETE", "/api/clients/"+id, nil).is(http.StatusOK).string("deletion.id")
	w.as("mia", "POST", "/api/deletions/"+deletion+"/restore", nil, "Idempotency-Key", "k3").is(http.StatusOK).has("restored", `{"clients":1,"contacts":1}`)
	replayed := w.as("mia", "POST", "/api/deletions/"+deletion+"/restore", nil, "Idempotency-Key", "k3").is(http.StatusOK).has("restored", `{"clients":1,"contacts":1}`, "deletion.state", "restored")
	if replayed.Header().Get("Idempotency-Replayed") != "true" {
		t.Error("the second restore is not called a replay")
	}
	w.as("mia", "POST", "/api/deletions/"+uuidText+"/restore", nil, "Idempotency-Key", "k3").is(http.StatusUnprocessableEntity, "idempotency_key_reused")
	several := map[string]any{"deletionIds": []string{w.as("mia", "DELETE", "/api/clients/"+id, nil).is(http.StatusOK).string("deletion.id"), uuidText}}
	for range 2 {
		w.as("mia", "POST", "/api/trash/restore", several, "Idempotency-Key", "k4").is(http.StatusOK).has("results.0.status", "200", "results.1.status", "404")
	}
	w.as("mia", "POST", "/api/trash/restore", map[string]any{"deletionIds": []string{uuidText}}, "Idempotency-Key", "k4").is(http.StatusUnprocessableEntity, "idempotency_key_reused")

	// After a day a key is free.
	w.exec("update idempotency_keys set created_at = now() - interval '25 hours'")
	w.as("mia", "POST", "/api/clients", `{"name":"Another"}`, key...).is(http.StatusCreated)
	if n := w.value("select count(*) from idempotency_keys where actor_id = 'u-mia'"); n != "1" {
		t.Errorf("%s keys are kept", n)
	}
}

// TestOnce_parallelTwins: of twenty at once one is done.
func TestOnce_parallelTwins(t *testing.T) {
	w := newWorld(t)
	const twins = 20
	replies := make([]reply, twins)
	var together sync.WaitGroup
	for i := range twins {
		together.Go(func() {
			replies[i] = reply{w.send("mia", "POST", "/api/clients", `{"name":"Acme"}`, "Idempotency-Key", "twin"), t}
		})
	}
	together.Wait()
	fresh := 0
	for _, r := range replies {
		r.is(http.StatusCreated)
		if r.Header().Get("Idempotency-Replayed") == "" {
			fresh++
		}
		if r.Body.String() != replies[0].Body.String() {
			t.Errorf("twins differ:\n%s\n%s", r.Body, replies[0].Body)
		}
	}
	if n := w.value("select count(*) from client_companies"); fresh != 1 || n != "1" {
		t.Errorf("%d were done, and %s clients are there", fresh, n)
	}
}
