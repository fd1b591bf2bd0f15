package cli

import (
	"context"

	"github.com/twmb/franz-go/pkg/sr"

	"millrace/serde"
)

// schemaPlaces says in which subjects schemas lie, which records do not. A schema is asked for once; what cannot be found out is left out.
type schemaPlaces struct {
	ctx    context.Context
	client *sr.Client
	known  map[serde.ID]*schemaPlace
}

type schemaPlace struct {
	id       int
	versions []sr.SubjectVersion
}

func (a *app) newSchemaPlaces(ctx context.Context) (*schemaPlaces, error) {
	c, err := a.openRegistry()
	if err != nil {
		return nil, err
	}
	client, err := c.library()
	return &schemaPlaces{ctx: ctx, client: client, known: map[serde.ID]*schemaPlace{}}, err
}

// fill adds the number, and the subject and version: those of the wanted subject, if the schema is in it, else of the first.
func (p *schemaPlaces) fill(j *schemaJSON, wanted string) {
	if p == nil {
		return
	}
	id := serde.ID{Number: j.ID, GUID: j.GUID}
	at := p.known[id]
	if at == nil {
		at = p.ask(id)
		p.known[id] = at
	}
	if j.ID == 0 {
		j.ID = at.id
	}
	for i, v := range at.versions {
		if i == 0 || v.Subject == wanted && j.Subject != wanted {
			j.Subject, j.Version = v.Subject, v.Version
		}
	}
}

func (p *schemaPlaces) ask(id serde.ID) *schemaPlace {
	at := &schemaPlace{id: id.Number}
	if at.id == 0 {
		ids, err := p.client.SchemaIDsByGUID(p.ctx, id.GUID)
		if err != nil {
			return at
		}
		for _, i := range ids {
			if i.Context == "." { // what it is in others, --registry does not ask for
				at.id = i.ID
			}
		}
	}
	if at.id != 0 {
		at.versions, _ = p.client.SchemaVersionsByID(p.ctx, at.id) // without an answer there is no subject to show
	}
	return at
}
