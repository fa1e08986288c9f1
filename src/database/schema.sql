-- All that is ours lives in the schema rag_demo; nothing outside it is touched.
CREATE SCHEMA IF NOT EXISTS rag_demo;

DROP TABLE IF EXISTS rag_demo.chunks, rag_demo.indexed_chunks, rag_demo.documents, rag_demo.seed;

CREATE TABLE rag_demo.documents (
  id integer PRIMARY KEY,
  title text NOT NULL,
  search tsvector
);

-- Without an index on document_id. No UNIQUE (document_id, position) either: its index would serve the foreign key
-- too, and hide what a missing one costs.
CREATE TABLE rag_demo.chunks (
  id integer PRIMARY KEY,
  document_id integer NOT NULL REFERENCES rag_demo.documents (id),
  position integer NOT NULL,
  text text NOT NULL
);

-- One row: which seed the tables hold. Written last, in the transaction that fills them.
CREATE TABLE rag_demo.seed (
  version text NOT NULL
);
