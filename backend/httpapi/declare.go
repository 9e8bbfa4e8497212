package httpapi

import "github.com/gatehouse-proxy/gatehouse/backend/store"

// declare returns all operations: those of every entity, and the few that are about no single one.
func (a *api) declare() []*operation {
	operations := a.trashOperations()
	operations = append(operations, a.ownOperations()...)
	operations = append(operations, a.healthOperations()...)
	operations = append(operations, a.documentOperations()...)
	for _, e := range store.Entities {
		operations = append(operations, a.rowOperations(e)...)
		operations = append(operations, a.deletionOperations(e)...)
		operations = append(operations, a.historyOperation(e))
	}
	return operations
}
