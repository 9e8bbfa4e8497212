// Package deploy tests what operators install: docker-compose.yml, the Dockerfile, .env.example, the systemd
// units, Prometheus's rules and Grafana's dashboard. Each names programs, flags, variables, files and metrics, and each
// name is looked for in what the programs really are. Where nothing but the thing itself can tell, it is run: the
// composed system's own configuration on built binaries, its Redis and its PostgreSQL.
package deploy
