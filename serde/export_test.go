package serde

// ReadAs is what Registry.Read does once it has found the writer's schema.
func ReadAs(reader, writer *Schema, payload []byte) ([]byte, error) {
	return reader.text(writer, nil, payload)
}
