package browser

// data is an organization as it could be, for the people of the development provider, and another one.
const data = `
insert into users (id, email, first_name, last_name) values
	('u-olivia', 'olivia@example.test', 'Olivia', 'Owens'), ('u-adam', 'adam@example.test', 'Adam', 'Adeyemi'), ('u-mia', 'mia@example.test', 'Mia', 'Moreau'),
	('u-viktor', 'viktor@example.test', 'Viktor', 'Vidal'), ('u-far', 'far@example.test', 'Fara', 'Away');
insert into organizations (id, name, slug, currency, timezone, date_format, language) values
	('north', 'Northwind Studio', 'northwind', 'EUR', 'Europe/Berlin', 'DD.MM.YYYY', 'en'), ('south', 'Southern Works', 'southern', 'USD', 'UTC', 'YYYY-MM-DD', 'en');
insert into organization_members (id, organization_id, user_id, role) values ('m1', 'north', 'u-olivia', 'owner'), ('m2', 'north', 'u-adam', 'admin'),
	('m3', 'north', 'u-mia', 'member'), ('m4', 'north', 'u-viktor', 'viewer'), ('m5', 'south', 'u-far', 'owner'), ('m6', 'south', 'u-adam', 'viewer');
insert into client_companies (id, organization_id, name, website, industry, address, city, zip_code, country, notes, created_by, created_at)
	select 'c' || n, 'north', name, 'https://' || replace(lower(split_part(name, ' ', 1)), '''', '') || '.example', industry, n || ' Harbour Street', city, '10' || n, country,
		case when n % 3 = 0 then E'Prefers calls in the morning.\nInvoices go to the second floor.' end, case when n % 2 = 0 then 'u-mia' else 'u-olivia' end, timestamp '2026-01-01' + n * interval '31 hours'
	from unnest(array['Acme Rockets','Blue Door Bakery','Cedar & Sons','Delta Freight','Elm Hospital','Fjord Outdoor','Grove Legal','Harbour Hotels','Iris Optics','Juniper Gin','Kite Energy','Lumen Light',
		'Maple Schools','Nimbus Cloud','Orchid Travel','Pine Timber','Quartz Watches','Ridge Cycles','Sable Furniture','Tundra Foods','Umber Paints','Vale Water','Willow Yoga','Xenon Labs','Yarrow Garden','Zephyr Sails','Aster Books','Birch Bank'],
		array['Aerospace','Food','Construction','Logistics','Health','Retail','Legal','Hospitality','Optics','Food','Energy','Lighting','Education','Software','Travel','Timber','Watches','Cycling','Furniture','Food','Paint','Utilities','Sport','Research','Gardening','Sailing','Publishing','Finance'],
		array['Berlin','Lisbon','Oslo','Rotterdam','Vienna','Bergen','Dublin','Porto','Jena','Ghent','Aarhus','Lyon','Malmo','Zurich','Rome','Turku','Basel','Graz','Milan','Tampere','Krakow','Prague','Madrid','Leiden','Utrecht','Brest','Bath','Bonn'],
		array['DE','PT','NO','NL','AT','NO','IE','PT','DE','BE','DK','FR','SE','CH','IT','FI','CH','AT','IT','FI','PL','CZ','ES','NL','NL','FR','GB','DE']) with ordinality as t(name, industry, city, country, n);
insert into contacts (id, organization_id, client_company_id, first_name, last_name, email, phone, title, is_primary, created_by, created_at)
	select 'k' || n, 'north', 'c' || (1 + n % 12), first, last, lower(first || '.' || last) || '@example.com', '+49 30 5550' || (100 + n), title, n < 13, case when n % 2 = 0 then 'u-mia' else 'u-olivia' end, timestamp '2026-01-05' + n * interval '17 hours'
	from unnest(array['Ann','Ben','Clara','David','Eva','Finn','Greta','Hugo','Ida','Jon','Klara','Leo','Maja','Nils','Olga','Paul','Quinn','Rosa','Sven','Tilda'],
		array['Able','Baker','Costa','Duval','Ek','Fischer','Grau','Holm','Ivers','Jansen','Kranz','Lund','Moss','Nowak','Orsini','Petit','Quist','Rossi','Stone','Torres'],
		array['Head of Procurement','Owner','Architect','Dispatcher','Chief Physician','Buyer','Partner','Manager','Optometrist','Distiller','Engineer','Designer','Principal','CTO','Agent','Forester','Watchmaker','Mechanic','Carpenter','Chef']) with ordinality as t(first, last, title, n);
insert into deals (id, organization_id, client_company_id, contact_id, owner_id, name, description, value, stage, probability, expected_close_date, created_by, created_at)
	select 'd' || n, 'north', 'c' || (1 + n % 12), 'k' || n, case when n % 2 = 0 then 'u-mia' else 'u-olivia' end, name, 'From the spring fair.', 1000 * n * n + 250.5, stage::deal_stage, 5 * n, timestamp '2026-12-01' + n * interval '3 days',
		case when n % 2 = 0 then 'u-mia' else 'u-olivia' end, timestamp '2026-02-01' + n * interval '40 hours'
	from unnest(array['Rebrand','Webshop relaunch','Wayfinding','Annual report','Fleet livery','Catalogue','Intranet','Launch film','Packaging','Photo shoot','Event stand','Newsletter'],
		array['won','negotiation','proposal','lead','qualified','lost','lead','negotiation','proposal','lead','qualified','won']) with ordinality as t(name, stage, n);
insert into engagements (id, organization_id, client_company_id, deal_id, owner_id, name, status, total_value, start_date, end_date, created_by, created_at)
	select 'e' || n, 'north', 'c' || n, 'd' || n, 'u-olivia', name, status::engagement_status, 5000 * n, timestamp '2026-03-01' + n * interval '9 days', timestamp '2026-09-01' + n * interval '9 days', 'u-olivia', timestamp '2026-03-01' + n * interval '50 hours'
	from unnest(array['Rebrand of Acme','Bakery webshop','Cedar signage','Delta annual report','Hospital wayfinding'], array['active','active','on_hold','completed','active']) with ordinality as t(name, status, n);
insert into projects (id, organization_id, engagement_id, name, status, due_date, progress, created_by)
	select 'p' || n, 'north', 'e' || n, 'Phase one', 'in_progress', timestamp '2026-08-01', 40, 'u-olivia' from generate_series(1, 5) n;
insert into tasks (id, organization_id, project_id, assignee_id, name, status, priority, due_date, created_by)
	select 't' || n, 'north', 'p' || (1 + n % 5), 'u-mia', 'Draft number ' || n, 'in_progress', 'high', timestamp '2026-06-01' + n * interval '1 day', 'u-mia' from generate_series(1, 12) n;
insert into invoices (id, organization_id, engagement_id, client_company_id, invoice_number, status, amount, tax, total_amount, line_items, due_date, created_by, created_at)
	select 'i' || n, 'north', 'e' || (1 + n % 5), 'c' || (1 + n % 5), 'NW-2026-' || lpad(n::text, 3, '0'), status::invoice_status, 800 * n, 152 * n, 952 * n,
		'[{"description":"Design","hours":12,"rate":"60.00"},{"description":"Print supervision","hours":2,"rate":"40.00"}]', timestamp '2026-04-01' + n * interval '11 days', 'u-olivia', timestamp '2026-04-01' + n * interval '60 hours'
	from unnest(array['paid','overdue','sent','draft','overdue','viewed','cancelled']) with ordinality as t(status, n);
insert into payments (id, organization_id, invoice_id, amount, payment_method, created_by) values ('pay1', 'north', 'i1', 952, 'Bank transfer', 'u-olivia');
insert into roles (id, organization_id, name, description, created_by) values ('r1', 'north', 'Manager', 'Runs projects', 'u-olivia'), ('r2', 'north', 'Bookkeeper', null, 'u-olivia');
insert into client_portal_access (id, organization_id, engagement_id, contact_id, access_token, created_by) values ('door1', 'north', 'e1', 'k12', 'token-1', 'u-olivia');
insert into client_companies (id, organization_id, name, created_by) values ('far-client', 'south', 'Faraway Client', 'u-far');
`
