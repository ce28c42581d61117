# Refused: an input is a rank among all rows, which one row alone does not have.

# %%
import pandas as pd
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import train_test_split

# %%
cars = pd.read_csv('car_details.csv')
cars.head()

# %%
cars['km_rank'] = cars['km_driven'].rank(pct=True)
cars['engine'] = cars['engine'].str.replace(' CC', '').astype(int)
cars['automatic'] = cars['transmission'] == 'Automatic'

# %%
X = cars[['year', 'km_rank', 'engine', 'automatic']]
y = cars['selling_price']
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=4)

# %%
forest = RandomForestRegressor(n_estimators=30, random_state=4)
forest.fit(X_train, y_train)
print(forest.score(X_test, y_test))
