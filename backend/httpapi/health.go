package httpapi

import (
	"context"
	"net/http"
)

// state answers whether the process, or the whole, works.
type stateBody struct {
	Status string `json:"status"`
}

// healthOperations are for those who start, stop and send requests to the process.
func (a *api) healthOperations() []*operation {
	health := func(path, name, summary string) *operation {
		return &operation{
			method: http.MethodGet, path: path, name: name, tag: "Operation", public: true,
			summary: summary,
			answers: a.schemaOf(stateBody{}),
			serves: func(context.Context, *call) (*answer, error) {
				return ok(stateBody{"ok"}), nil
			},
		}
	}
	return []*operation{
		health("/health", "getHealth", "Whether the process works"),
		// Where the old app had it. The edge lets both pass without sign-in and limits.
		health("/api/health", "getApiHealth", "Whether the process works, at the path that the old app had"),
		{
			method: http.MethodGet, path: "/ready", name: "getReady", tag: "Operation", public: true,
			summary: "Whether requests can be served: the database answers, and the process is not about to stop",
			answers: a.schemaOf(stateBody{}), problems: []string{"not_ready"},
			serves: func(ctx context.Context, _ *call) (*answer, error) {
				if a.stopping() || a.store.Ping(ctx) != nil {
					return nil, fail("not_ready")
				}
				return ok(stateBody{"ready"}), nil
			},
		},
	}
}
