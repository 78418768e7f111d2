// Package ext stands in for a module that Traefik has in its own repository only.
package ext

// HTTP adds nothing to the configuration of HTTP.
type HTTP struct{}

// Router adds nothing to the configuration of a router.
type Router struct{}
