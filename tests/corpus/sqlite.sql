-- The tables that the scripts for SQLite start from. SQLAlchemy 2.0.36 reads a CHECK only on a line of its own.
CREATE TABLE shops (id INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE groups (id INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(50));
CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(50), age INTEGER, state VARCHAR(20));
CREATE TABLE orders (id INTEGER NOT NULL PRIMARY KEY, customer_id INTEGER, code TEXT, number INTEGER, note2 TEXT, status TEXT, total INTEGER, net INTEGER, tax INTEGER, paid_at DATETIME,
    CONSTRAINT ck_orders_total CHECK (total >= 0)
);
CREATE TABLE jobs (id INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE products (id INTEGER NOT NULL PRIMARY KEY, name TEXT);
CREATE TABLE dag_run (id INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE permissions (name TEXT, view TEXT);
CREATE TABLE roles (name TEXT);
CREATE TABLE job (id INTEGER NOT NULL PRIMARY KEY);
CREATE TABLE help (topic TEXT, body TEXT);
CREATE TABLE settings (key TEXT, value TEXT);
INSERT INTO customers VALUES (1, 'a');
INSERT INTO orders (id, customer_id, total, net, tax) VALUES (1, 1, 10, 8, 2);
INSERT INTO jobs VALUES (1);
INSERT INTO dag_run VALUES (1);
INSERT INTO products VALUES (1, 'x');
