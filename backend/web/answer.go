package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// maxForm bounds what a form may send, in bytes.
const maxForm = 1 << 20

// visit is one page being made, within a transaction that sees the caller's organization alone.
type visit struct {
	*Pages

	r      *http.Request
	tx     *softdelete.Tx
	org    *store.Organization
	format format
	names  *names
}

// view is a page to be shown.
type view struct {
	status int // 0 for 200
	look   string
	title  string
	body   any
}

// maker makes a page.
type maker func(ctx context.Context, v *visit) (view, error)

// page serves a page to GET.
func (p *Pages) page(m maker) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { p.show(w, r, m) }
}

// show makes a page in a transaction that cannot write, and sends it when all of it is there.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, m maker) {
	var out view
	var f frame
	err := p.store.Read(r.Context(), caller.Request(r.Context(), r), func(ctx context.Context, tx *softdelete.Tx) error {
		v, err := p.visit(ctx, r, tx)
		if err != nil {
			return err
		}
		if tx.Closed && r.Method == http.MethodGet {
			m = closed
		}
		if out, err = m(ctx, v); err != nil {
			return err
		}
		f, err = v.frame(ctx, out.title)
		return err
	})
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.send(w, r, f, out)
}

// change does what a form asks for, in one transaction.
func (p *Pages) change(r *http.Request, do func(ctx context.Context, tx *softdelete.Tx) error) error {
	return p.store.Do(r.Context(), caller.Request(r.Context(), r), do)
}

// form reads what was posted, or answers and returns false.
func (p *Pages) form(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if err == nil {
		return true
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		p.odd(w, r, oddity{status: http.StatusRequestEntityTooLarge, code: "too_large_form"})
	} else {
		p.odd(w, r, oddity{status: http.StatusBadRequest, code: "bad_form"})
	}
	return false
}

func (p *Pages) visit(ctx context.Context, r *http.Request, tx *softdelete.Tx) (*visit, error) {
	v := &visit{Pages: p, r: r, tx: tx, names: newNames()}
	organizations := p.store.Resources[store.Organizations.Kind]
	fetch := organizations.Fetch
	if tx.Closed {
		fetch = organizations.FetchTrashed
	}
	record, err := fetch(ctx, tx, tx.Organization)
	if err != nil {
		return nil, err
	}
	v.org = record.(*store.Organization)
	v.format = newFormat(v.org, p.now())
	return v, nil
}

// send writes a page. Nothing has been sent before, so that one that cannot be made is a 500 and no half
// of a page.
func (p *Pages) send(w http.ResponseWriter, r *http.Request, f frame, out view) {
	if out.status == 0 {
		out.status = http.StatusOK
	}
	var body bytes.Buffer
	if err := p.looks.render(&body, out.look, f, out.body); err != nil {
		p.logger.Error("a page cannot be made", zap.String("look", out.look), zap.Error(err), zap.String("request_id", caller.RequestID(r.Context())))
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(out.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body.Bytes()) // nobody is left to be told
	}
}

// leave sends the browser on after a form has done its work, so that reloading repeats nothing.
func leave(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // every caller begins it with a path of ours
}
