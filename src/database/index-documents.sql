-- The title weighs most (A), the text least (D). Words of the text that occur in more than 40 % of the documents
-- tell none of them apart, and a question's "must" or "how often" would rank by them: they are left out, like
-- stop words.
WITH texts AS MATERIALIZED (
  SELECT document_id, to_tsvector('english', string_agg(text, ' ' ORDER BY position)) AS words
  FROM rag_demo.chunks
  GROUP BY document_id
), common AS (
  SELECT array_agg(lexeme) AS lexemes
  FROM (
    SELECT lexeme
    FROM texts, unnest(words)
    GROUP BY lexeme
    HAVING count(*) > 0.4 * (SELECT count(*) FROM texts)
  ) AS frequent
)
UPDATE rag_demo.documents
SET search = setweight(to_tsvector('english', title), 'A') || ts_delete(texts.words, common.lexemes)
FROM texts, common
WHERE texts.document_id = documents.id;

CREATE INDEX documents_search ON rag_demo.documents USING gin (search);

-- The same chunks with an index on the foreign key, so that each request can have it or not, whatever the others
-- have.
CREATE TABLE rag_demo.indexed_chunks AS TABLE rag_demo.chunks;

ALTER TABLE rag_demo.indexed_chunks
  ADD PRIMARY KEY (id),
  ADD FOREIGN KEY (document_id) REFERENCES rag_demo.documents (id);

CREATE INDEX indexed_chunks_document_id ON rag_demo.indexed_chunks (document_id);
